import {
  ProtocolError,
  ProtocolErrorCode,
  type Server,
  type ServerEventBus,
} from '@modelcontextprotocol/server';

import { plainText } from '../core/words.ts';
import type { NodeContext } from '../tools/tool.ts';
import { xidErrors } from '../tools/xid-errors.ts';
import type { EventBook } from './events/event-book.ts';

/** What has happened to the GPUs of this node. Who subscribes is told of news, and reads them with a cursor. */
export const eventsUri = 'gpu-events://node';
/** In the `_meta` of notifications/resources/updated: the number of the newest event. */
const newestMeta = 'k8s-gpu-mcp/newest';

const resource = {
  uri: eventsUri,
  name: 'gpu-events',
  title: 'GPU events of this node',
  description:
    'What analyze_xid_errors answers, as JSON, with every event that is kept. Subscribe to be told of new ones, and read ' +
    'them with analyze_xid_errors and the cursor of the answer before as `since`.',
  mimeType: 'application/json',
} as const;

export function serveEvents(server: Server, context: () => NodeContext): void {
  server.setRequestHandler('resources/list', () => ({ resources: [resource] }));
  server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: [] }));
  server.setRequestHandler('resources/read', ({ params: { uri } }) => {
    if (uri !== eventsUri)
      throw new ProtocolError(
        ProtocolErrorCode.InvalidParams,
        `There is no resource ${plainText(uri, 64)}; there is ${eventsUri}.`,
      );
    const answer = xidErrors.answer(xidErrors.input.parse({}), context());
    const { mimeType } = resource;
    return { contents: [{ uri, mimeType, text: JSON.stringify(answer) }] };
  });
}

/** Tells every subscriber of each batch of new events. */
export function publishEvents(events: EventBook, bus: ServerEventBus): void {
  events.onEvents((newest) =>
    bus.publish({ kind: 'resource_updated', uri: eventsUri, params: { _meta: { [newestMeta]: newest } } }),
  );
}

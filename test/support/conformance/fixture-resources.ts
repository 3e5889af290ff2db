import { type McpServer, ResourceTemplate } from '@modelcontextprotocol/server';

import { png } from './fixture-tools.ts';

const texts = {
  'static-text': 'This is the content of the static text resource.',
  'watched-resource': 'Watched resource content',
} as const;

export function registerResources(server: McpServer): void {
  for (const [name, text] of Object.entries(texts)) {
    const mimeType = 'text/plain';
    server.registerResource(name, `test://${name}`, { mimeType }, ({ href: uri }) => ({
      contents: [{ uri, mimeType, text }],
    }));
  }
  const mimeType = 'image/png';
  server.registerResource('static-binary', 'test://static-binary', { mimeType }, ({ href: uri }) => ({
    contents: [{ uri, mimeType, blob: png }],
  }));
  const template = new ResourceTemplate('test://template/{id}/data', { list: undefined });
  const json = 'application/json';
  server.registerResource('template', template, { mimeType: json }, ({ href: uri }, { id }) => {
    const text = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` });
    return { contents: [{ uri, mimeType: json, text }] };
  });
  server.server.setRequestHandler('resources/subscribe', () => ({}));
  server.server.setRequestHandler('resources/unsubscribe', () => ({}));
}

import { beforeAll, describe, expect, test } from 'vitest';

import { built, conformance } from '../support/conformance/suite.ts';
import { npmPrograms, whyNoPrograms } from '../support/npm-programs.ts';

const whyNot = whyNoPrograms();

/** What the bridge does as a client: it calls tools that it knows, over HTTP, in the one revision that agents speak. */
const ofTheBridge = ['tools_call', 'request-metadata', 'http-standard-headers'] as const;

/** Why the suite's other requirements are none to this client. */
const ofOthers: Readonly<Record<string, string>> = {
  'auth/':
    'Kubernetes says who may reach an agent, a bearer token from a file else: there is no OAuth to discover',
  'http-custom-headers':
    'our tools mirror no argument in a header (test/contract holds them to it), and it calls no others',
  'http-invalid-tool-headers':
    'it never lists the tools of an agent: it calls those that it has itself, by name',
  'json-schema-ref-no-deref': 'it never reads a schema that an agent sent',
  'sep-2322-client-request-state': 'it declares no capability, so nothing may be asked of it in return',
};

describe.skipIf(whyNot)(`the bridge's way of asking an agent${whyNot ? ` (skipped: ${whyNot})` : ''}`, () => {
  let command: string;

  beforeAll(() => {
    command = `${npmPrograms.node('20.18.1')} ${built('client')}`;
  });

  test.for(ofTheBridge)('does what the specification asks for: %s', async (scenario) => {
    const { code, output } = await conformance([
      'client',
      '--command',
      command,
      '--scenario',
      scenario,
      '--spec-version',
      '2026-07-28',
    ]);

    expect(code, output).toBe(0);
    expect(output).toMatch(/^Passed: [1-9]\d*\/\d+, 0 failed, 0 warnings/m);
  });

  test('nothing that 2026-07-28 requires of clients is left out without a reason', async () => {
    const { output } = await conformance(['list', '--requirements', '2026-07-28']);
    const [, clients = ''] = /^Client scenarios.*\n((?: {2}- .*\n)+)/m.exec(output) ?? [];
    const required = [...clients.matchAll(/- (\S+)/g)].map(([, scenario = '']) => scenario);

    const known = [...ofTheBridge, ...Object.keys(ofOthers)];
    const unexplained = required.filter((scenario) => !known.some((name) => scenario.startsWith(name)));

    expect(required).toHaveLength(32);
    expect(unexplained).toEqual([]);
    expect(known.filter((name) => !required.some((scenario) => scenario.startsWith(name)))).toEqual([]);
  });
});

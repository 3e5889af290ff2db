import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startAgent } from '../support/agent.ts';
import { baselines, built, conformance } from '../support/conformance/suite.ts';
import { whyNoPrograms } from '../support/npm-programs.ts';

const whyNot = whyNoPrograms();
const skipped = whyNot ? ` (skipped: ${whyNot})` : '';
/** Enough for a scenario that works; those that wait for a client's answer wait for so long. */
const timeout = ['--timeout', '5000'];

describe.skipIf(whyNot)(`the suite's fixtures on the agent's HTTP stack${skipped}`, () => {
  let server: ChildProcess;
  let url: string;
  let printed = '';

  beforeAll(async () => {
    server = spawn(built('server'), { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = server.stdout ? await once(server.stdout, 'data') : [];
    url = String(line).trim();
    server.stdout?.on('data', (text) => {
      printed += text;
    });
  });

  afterAll(async () => {
    server.kill('SIGKILL');
    await once(server, 'exit');
  });

  test('do all that the revision of 2026-07-28 requires', async () => {
    const { code, output } = await conformance([
      'server',
      '--url',
      url,
      '--requirements',
      '2026-07-28',
      ...timeout,
    ]);

    expect(code, output).toBe(0);
    const directly = new Set(printed.match(/(?<=^directly: ).+$/gm));
    expect([...directly].sort(), 'tools that were answered without the SDK').toEqual([
      'test_audio_content',
      'test_embedded_resource',
      'test_image_content',
      'test_multiple_content_types',
      'test_simple_text',
      'test_streaming_elicitation',
    ]);
  });

  test('do all that the revision of 2025-11-25 requires, but for what takes a session', async () => {
    const { code, output } = await conformance([
      'server',
      '--url',
      url,
      '--requirements',
      '2025-11-25',
      '--expected-failures',
      baselines.fixtures,
      ...timeout,
    ]);

    expect(code, output).toBe(0);
  });
});

/** Those that ask for nothing but what every server with tools has. The others call the suite's own tools by name. */
const withoutFixtures = [
  ['2026-07-28', 'server-stateless'],
  ['2026-07-28', 'tools-list'],
  ['2026-07-28', 'caching'],
  ['2026-07-28', 'http-header-validation'],
  ['2026-07-28', 'dns-rebinding-protection'],
  ['2026-07-28', 'input-required-result-unsupported-methods'],
  ['2025-11-25', 'server-initialize'],
  ['2025-11-25', 'ping'],
  ['2025-11-25', 'tools-list'],
  ['2025-11-25', 'dns-rebinding-protection'],
] as const;

describe.skipIf(whyNot)(`the agent as it is built${skipped}`, () => {
  test.for(withoutFixtures)('%s: %s', async ([revision, scenario], context) => {
    const { url } = await startAgent(context, { args: ['--nvml-mode', 'simulated'] });

    const { code, output } = await conformance([
      'server',
      '--url',
      url,
      '--scenario',
      scenario,
      '--spec-version',
      revision,
      '--expected-failures',
      baselines.agent,
    ]);

    expect(code, output).toBe(0);
    expect(output).toMatch(/^Passed: [1-9]/m); // a scenario that is not of this revision ends well too, unrun
  });
});

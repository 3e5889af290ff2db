import { expect, test } from 'vitest';

import { parseConfig as parseBridge } from '../../src/bridge/config.ts';
import { parseConfig as parseAgent } from '../../src/server/config.ts';

const programs = { bridge: parseBridge, agent: parseAgent };
const commands = { bridge: [[], ['call'], ['demo'], ['install']], agent: [[]] } as const;

/** The flags that a help text lists. */
function flagsIn(parse: typeof parseBridge | typeof parseAgent, command: readonly string[]): string[] {
  const help = parse([...command, '--help'], {});
  const text = 'print' in help ? help.print : '';
  return [...text.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag = '']) => flag);
}

const mistyped = (['bridge', 'agent'] as const).flatMap((program) =>
  commands[program].flatMap((command) =>
    flagsIn(programs[program], command).map((flag) => [program, command, flag] as const),
  ),
);

test('every flag is in a help text', () => {
  const all = mistyped.map(([, , flag]) => flag);

  expect(all).toEqual(expect.arrayContaining(['--context', '--stdio', '--print', '--port', '--idle']));
});

test.for(mistyped)(
  '%s %j: %s without its second letter is answered with what was meant',
  ([program, command, flag]) => {
    const typo = flag.replace(/^(--.)./, '$1');

    expect(() => programs[program]([...command, typo], {})).toThrow(
      expect.objectContaining({
        code: 'BAD_FLAG',
        message: `there is no flag ${typo} (did you mean ${flag}?)`,
      }),
    );
  },
);

import { describe, expect, test } from 'vitest';

import { editJson } from '../../src/bridge/install/json.ts';

const place = { file: '/home/me/mcp.json', path: ['mcpServers', 'k8s-gpu-mcp'] } as const;
const entry = { command: '/bin/npx', args: ['-y', 'x'], env: { PATH: '/bin' } };

function edit(text: string, comments = false): string {
  return editJson(text, place, entry, comments).text;
}

/** What stands in front of the part that was put in, and behind it. */
function untouched(before: string, after: string): boolean {
  const start = [...before].findIndex((character, at) => character !== after[at]);
  const from = start < 0 ? before.length : start;
  return after.endsWith(before.slice(from));
}

describe('a file without our entry', () => {
  test.for([
    ['empty', ''],
    ['blank', ' \r\n'],
  ])('that is %s gets the whole document', ([, text = '']) => {
    const edited = edit(text);

    expect(edited).toBe(`${JSON.stringify({ mcpServers: { 'k8s-gpu-mcp': entry } }, null, 2)}\n`);
  });

  test.for([
    ['an empty object', '{}'],
    ['an empty object over two lines', '{\n}\n'],
    ['other settings', '{\n  "theme": "dark"\n}\n'],
    ['an empty list of servers', '{\n  "mcpServers": {}\n}\n'],
    ['one line', '{"theme":"dark","mcpServers":{"a":{"command":"b"}}}'],
    [
      'other servers',
      '{\n  "mcpServers": {\n    "a": { "command": "b", "args": ["1", "2"] }\n  },\n  "z": 1\n}\n',
    ],
    ['servers on one line of several', '{\n  "mcpServers": { "a": { "command": "b" } },\n  "z": 1\n}'],
  ])('that holds %s keeps every other byte', ([, text = '']) => {
    const edited = edit(text);

    const { mcpServers, ...rest } = JSON.parse(edited);
    const { mcpServers: before = {}, ...others } = JSON.parse(text);
    expect(mcpServers).toEqual({ ...before, 'k8s-gpu-mcp': entry });
    expect(rest).toEqual(others);
    expect(untouched(text, edited), edited).toBe(true);
  });

  test('keeps the order of its keys: the new server is the last', () => {
    const edited = edit('{\n  "z": 1,\n  "mcpServers": {\n    "b": {},\n    "a": {}\n  },\n  "c": 2\n}\n');

    expect(Object.keys(JSON.parse(edited))).toEqual(['z', 'mcpServers', 'c']);
    expect(Object.keys(JSON.parse(edited).mcpServers)).toEqual(['b', 'a', 'k8s-gpu-mcp']);
  });

  test('is set in as it is: tabs, and the line ends of Windows', () => {
    const edited = edit('{\r\n\t"mcpServers": {\r\n\t\t"a": {}\r\n\t}\r\n}\r\n');

    expect(edited).toContain('\r\n\t\t"k8s-gpu-mcp": {\r\n\t\t\t"command": "/bin/npx",\r\n');
    expect(edited).not.toMatch(/[^\r]\n/);
    expect(edited).not.toMatch(/\n +/);
  });

  test('is set in as it is: four spaces, also in an object that was empty', () => {
    const edited = edit('{\n    "a": 1,\n    "mcpServers": {}\n}\n');

    expect(edited).toContain(
      '\n    "mcpServers": {\n        "k8s-gpu-mcp": {\n            "command": "/bin/npx",',
    );
    expect(edited).toContain('\n        }\n    }\n}\n');
  });
});

describe('a file with comments, where the host takes them', () => {
  const text = `// mine
{
  /* servers */
  "mcpServers": {
    "a": { "command": "b" }, // the first
    "c": { "command": "d" } // the last
  },
}
`;

  test('keeps them, and each stays with what it is about', () => {
    const edited = edit(text, true);

    expect(edited).toContain('    "c": { "command": "d" }, // the last\n    "k8s-gpu-mcp": {\n');
    expect(edited.startsWith(text.slice(0, text.indexOf(' // the last') - 1))).toBe(true);
    expect(edited.endsWith('    }\n  },\n}\n')).toBe(true);
  });

  test('keeps a trailing comma, and gets no second one', () => {
    const edited = edit('{\n  "mcpServers": {\n    "a": {}, // with a comma\n  },\n}\n', true);

    expect(edited).toMatch(/"a": {}, \/\/ with a comma\n {4}"k8s-gpu-mcp": {[\s\S]*\n {4}},\n {2}},\n}\n$/);
  });

  test('that is nothing but comments gets the document behind them', () => {
    const edited = edit('// Place your servers here\n', true);

    expect(edited).toMatch(/^\/\/ Place your servers here\n{\n {2}"mcpServers": {\n/);
  });

  test('is refused where the host takes none', () => {
    expect(() => edit(text)).toThrow(/mcp\.json, line 1: invalid comment token; nothing was changed/);
  });
});

describe('a file with an entry of ours', () => {
  const older = `{
  "mcpServers": {
    "k8s-gpu-mcp": {
      // pinned by hand
      "command": "npx",
      "args": ["-y", "k8s-gpu-mcp@0.0.1"],
      "disabled": false,
      "env": {
        "AWS_PROFILE": "gpu", // for login
        "K8S_GPU_MCP_CONTEXT": "old",
        "KUBECONFIG": "/home/me/kube"
      }
    },
    "b": {}
  }
}
`;

  test('replaces what we write, and keeps what its owner added', () => {
    const { text, before, after } = editJson(older, place, entry, true);

    expect(before).toMatchObject({ command: 'npx' });
    expect(after).toEqual({
      ...entry,
      disabled: false,
      env: { AWS_PROFILE: 'gpu', KUBECONFIG: '/home/me/kube', PATH: '/bin' },
    });
    expect(text).toContain('// pinned by hand');
    expect(text).toContain('"AWS_PROFILE": "gpu", // for login');
    expect(text).toContain('    },\n    "b": {}\n  }\n}\n');
  });

  test('is left as it is when it is so already', () => {
    const once = edit(older, true);

    expect(edit(once, true)).toBe(once);
  });

  test.for([
    ['the first', '"K8S_GPU_MCP_CONTEXT": "old", // gone\n        "A": "1", // stays\n        "B": "2"'],
    ['in the middle', '"A": "1", // stays\n        "K8S_GPU_MCP_CONTEXT": "old",\n        "B": "2"'],
    ['the last', '"B": "2",\n        "A": "1", // stays\n        "K8S_GPU_MCP_CONTEXT": "old"'],
    [
      'the last, with a comma',
      '"B": "2",\n        "A": "1", // stays\n        "K8S_GPU_MCP_CONTEXT": "old",',
    ],
    ['on one line', '"A": "1", "K8S_GPU_MCP_CONTEXT": "old", "B": "2" // stays'],
    ['behind a comment', '"A": "1" /* , */, "K8S_GPU_MCP_CONTEXT": "old", "B": "2" // stays'],
  ])('loses a variable that is %s, and no comment of another', ([, variables = '']) => {
    const text = `{\n  "mcpServers": {\n    "k8s-gpu-mcp": {\n      "command": "a",\n      "env": {\n        ${variables}\n      }\n    }\n  }\n}\n`;

    const { text: edited, after } = editJson(text, place, entry, true);

    expect(after).toMatchObject({ env: { A: '1', B: '2', PATH: '/bin' } });
    expect(edited).toContain('// stays');
    expect(edited).not.toContain('CONTEXT');
  });

  test('that was a remote server is replaced as a whole', () => {
    const edited = edit('{"mcpServers":{"k8s-gpu-mcp":{"url":"https://x","headers":{"a":"b"}}}}');

    expect(JSON.parse(edited)).toEqual({ mcpServers: { 'k8s-gpu-mcp': entry } });
  });
});

describe('refused, with the line and nothing of its content', () => {
  test.for([
    ['a comma is missing', '{\n  "token": "s3cret"\n  "b": 1\n}', 'line 3: comma expected'],
    ['it ends too early', '{\n  "a": {', 'close brace expected'],
    ['a trailing comma', '{\n  "token": "s3cret",\n}', 'line 3: '],
    ['single quotes', "{ 's3cret': 1 }", 'line 1: invalid symbol'],
    ['two documents', '{}\n{}', 'line 2: end of file expected'],
    ['a list', '["s3cret"]', 'it holds an array where an object is expected'],
    ['a string', '"s3cret"', 'it holds a string where an object is expected'],
    ['servers in a list', '{\n"mcpServers": ["s3cret"] }', 'line 2: mcpServers is an array where an object'],
    ['servers that are null', '{ "mcpServers": null }', 'mcpServers is null where an object is expected'],
    ['servers twice', '{ "mcpServers": {}, "mcpServers": {} }', 'is a key in it twice?'],
  ])('%s', ([, text = '', said = '']) => {
    const attempt = () => edit(text);

    expect(attempt).toThrow(said);
    expect(attempt).toThrow(expect.objectContaining({ code: 'HOST_CONFIG_INVALID' }));
    expect(attempt).not.toThrow('s3cret');
  });
});

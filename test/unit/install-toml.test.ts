import { parse } from 'smol-toml';
import { describe, expect, test } from 'vitest';

import { editToml, printToml } from '../../src/bridge/install/toml.ts';

const place = { file: '/home/me/config.toml', path: ['mcp_servers', 'k8s-gpu-mcp'] } as const;
const entry = { command: '/bin/npx', args: ['-y', 'x'], env: { PATH: '/bin' } };

function edit(text: string): string {
  return editToml(text, place, entry).text;
}

function serverIn(text: string): unknown {
  return (parse(text) as { mcp_servers: Record<string, unknown> }).mcp_servers['k8s-gpu-mcp'];
}

describe('a file without our entry', () => {
  test('that is empty gets the entry alone', () => {
    expect(edit('')).toBe(printToml(place.path, entry));
  });

  test.for([
    ['settings', 'model = "o5" # mine\n'],
    ['no line end', 'model = "o5"'],
    ['another server', '# all of them\n[mcp_servers.a]\ncommand = "b"\n\n[mcp_servers.a.env]\nX = "1"\n'],
    ['the table of all servers', '[mcp_servers]\n\n[profiles.x]\nmodel = "o5"\n'],
    ['a string that looks like a table', 'text = """\n[mcp_servers.k8s]\n"""\n'],
    ['a list of tables', '[[hooks]]\nx = 1\n[[hooks]]\nx = 2\n'],
  ])('that holds %s keeps all of it, and the entry comes last', ([, text = '']) => {
    const edited = edit(text);

    expect(edited).toBe(`${text.trimEnd()}\n\n${printToml(place.path, entry)}`);
    expect(serverIn(edited)).toEqual(entry);
  });

  test('keeps the line ends of Windows', () => {
    const edited = edit('model = "o5"\r\n');

    expect(edited).not.toMatch(/[^\r]\n/);
    expect(serverIn(edited)).toEqual(entry);
  });
});

describe('a file with an entry of ours', () => {
  const older = `model = "o5"

# ours
[mcp_servers."k8s-gpu-mcp"] # by hand
command = "npx"
args = [
  "-y", # yes
  "k8s-gpu-mcp@0.0.1",
]
# it starts slowly
startup_timeout_sec = 30.0

[mcp_servers.k8s-gpu-mcp.tools.get_gpu_health]
approval_mode = "auto"

[mcp_servers.k8s-gpu-mcp.env]
AWS_PROFILE = "gpu" # for login
K8S_GPU_MCP_CONTEXT = "old"
KUBECONFIG = "/home/me/kube"

# the next one
[mcp_servers.z]
command = "z"
`;

  test('replaces what we write, and keeps what its owner added, as it is written', () => {
    const edited = edit(older);

    expect(serverIn(edited)).toEqual({
      ...entry,
      startup_timeout_sec: 30,
      tools: { get_gpu_health: { approval_mode: 'auto' } },
      env: { AWS_PROFILE: 'gpu', KUBECONFIG: '/home/me/kube', PATH: '/bin' },
    });
    for (const kept of [
      'model = "o5"\n\n# ours\n[mcp_servers.k8s-gpu-mcp]\ncommand = "/bin/npx"\n',
      '# it starts slowly\nstartup_timeout_sec = 30.0\n',
      'AWS_PROFILE = "gpu" # for login\n',
      '\n[mcp_servers.k8s-gpu-mcp.tools.get_gpu_health]\napproval_mode = "auto"\n',
      '\n# the next one\n[mcp_servers.z]\ncommand = "z"\n',
    ])
      expect(edited).toContain(kept);
  });

  test('is left as it is when it is so already', () => {
    const once = edit(older);

    expect(edit(once)).toBe(once);
  });

  test.for([
    ['an inline table', 'env = { AWS_PROFILE = "gpu", K8S_GPU_MCP_CONTEXT = "old" }'],
    ['dotted keys', 'env.AWS_PROFILE = "gpu"\nenv.K8S_GPU_MCP_CONTEXT = "old"'],
  ])('whose variables are %s keeps those of its owner', ([, written = '']) => {
    const edited = edit(`[mcp_servers.k8s-gpu-mcp]\ncommand = "npx"\n${written}\n`);

    expect(serverIn(edited)).toEqual({ ...entry, env: { AWS_PROFILE: 'gpu', PATH: '/bin' } });
  });

  test('of which its owner wrote only a permission keeps that', () => {
    const edited = edit('[mcp_servers.k8s-gpu-mcp.tools.get_gpu_health]\napproval_mode = "auto"\n');

    expect(serverIn(edited)).toEqual({ ...entry, tools: { get_gpu_health: { approval_mode: 'auto' } } });
  });

  test('that was a remote server is replaced', () => {
    const edited = edit('[mcp_servers.k8s-gpu-mcp]\nurl = "https://x"\n');

    expect(serverIn(edited)).toEqual(entry);
  });

  test('that is the demo is another one', () => {
    const text = '[mcp_servers.k8s-gpu-mcp-demo]\ncommand = "npx"\n';

    expect(edit(text).startsWith(text)).toBe(true);
  });
});

describe('refused, with nothing of its content', () => {
  test.for([
    ['broken', 'a = 1\ntoken = "s3cret\n', 'config.toml, line 2: '],
    ['a key twice', 'a = 1\na = "s3cret"\n', 'config.toml, line 2: '],
    [
      'servers in an inline table',
      'mcp_servers = { a = { command = "s3cret" } }\n',
      'cannot be changed line by line',
    ],
    ['our entry in an inline table', '[mcp_servers]\nk8s-gpu-mcp = { command = "s3cret" }\n', 'line by line'],
    ['servers in a list', '[[mcp_servers]]\ncommand = "s3cret"\n', 'mcp_servers is not a table'],
    [
      'a header in a string among our variables',
      '[mcp_servers.k8s-gpu-mcp.env]\nKEY = "s3cret"\nNOTE = """\n[a]\n"""\n',
      'line by line',
    ],
    ['our entry in a string', 't = """\n[mcp_servers.k8s-gpu-mcp]\ns3cret = 1\n"""\n', 'line by line'],
  ])('%s', ([, text = '', said = '']) => {
    const attempt = () => edit(text);

    expect(attempt).toThrow(said);
    expect(attempt).toThrow(expect.objectContaining({ code: 'HOST_CONFIG_INVALID' }));
    expect(attempt).not.toThrow('s3cret');
  });
});

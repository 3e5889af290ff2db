import { isDeepStrictEqual } from 'node:util';

import { version } from '../../version.ts';
import { type Host, type Machine, pathOf } from './hosts.ts';

/** What a host is told of one server. */
export interface Entry {
  readonly type?: 'stdio';
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Where this program lies, and the Node that runs it. */
export interface Program {
  readonly script: string;
  /** Folder of Node. */
  readonly folder: string;
  readonly node: string;
  /** A terminal that says `node` gets this one. */
  readonly isFirstOnPath: boolean;
  /** The npx beside that Node, where there is one. */
  readonly npx: string | undefined;
}

export interface Wish {
  readonly demo: boolean;
  /** `K8S_GPU_MCP_…` and what it shall be. */
  readonly variables: Readonly<Record<string, string>>;
  /** Folder that relative paths start from. */
  readonly cwd: string;
}

type Values = Readonly<Record<string, unknown>>;

export function serverName({ demo }: Pick<Wish, 'demo'>): string {
  return demo ? 'k8s-gpu-mcp-demo' : 'k8s-gpu-mcp';
}

/**
 * What starts the server from a host that has no shell: launchd gives a PATH of /usr/bin:/bin:/usr/sbin:/sbin, nvm, mise and
 * Homebrew are not in it, and Claude Desktop fills in the first Node of ~/.nvm, however old. So the command is absolute, and
 * PATH is written down: npx begins with `#!/usr/bin/env node`, which must find this Node first, and a login plugin of the
 * kubeconfig must be found where the terminal finds it. Not on Windows: hosts see the user's PATH there, and would have ours
 * beside theirs (`Path`). The registry's form names our version, so that a host starts what was installed and tried.
 */
export function entryFor(host: Host, program: Program, machine: Machine, wish: Wish): Entry {
  const windows = machine.platform === 'win32';
  const task = wish.demo ? ['demo', '--stdio'] : [];
  const fromRegistry = program.script.split(/[\\/]/).includes('node_modules');
  const packaged = ['-y', `k8s-gpu-mcp@${version}`, ...task];
  const type = host.typed ? { type: 'stdio' as const } : {};
  const env = environment(machine, wish, program);
  const given = Object.keys(env).length > 0 ? { env } : {};
  if (!fromRegistry) return { ...type, command: program.node, args: [program.script, ...task], ...given };
  if (windows && !host.startsBatchFiles)
    return { ...type, command: 'cmd', args: ['/c', 'npx', ...packaged], ...given };
  return { ...type, command: windows ? 'npx' : (program.npx ?? 'npx'), args: packaged, ...given };
}

function environment(machine: Machine, wish: Wish, program: Program): Record<string, string> {
  const { KUBECONFIG: kubeconfig, NODE_EXTRA_CA_CERTS: authorities, EXEC_TIMEOUT: execTimeout } = machine.env;
  const { K8S_GPU_MCP_TOKEN_FILE: tokenFile, ...variables } = wish.variables;
  return {
    ...(kubeconfig && !wish.demo && { KUBECONFIG: absolutePaths(kubeconfig, machine, wish.cwd) }),
    ...(authorities && !wish.demo && { NODE_EXTRA_CA_CERTS: absolute(authorities, machine, wish.cwd) }),
    ...(execTimeout && !wish.demo && { EXEC_TIMEOUT: execTimeout }),
    ...variables,
    ...(tokenFile && { K8S_GPU_MCP_TOKEN_FILE: absolute(tokenFile, machine, wish.cwd) }),
    ...(machine.platform !== 'win32' && { PATH: terminalPath(machine, program) }),
  };
}

function absolutePaths(list: string, machine: Machine, cwd: string): string {
  const { delimiter } = pathOf(machine);
  const paths = list.split(delimiter).filter((path) => path !== '');
  return paths.map((path) => absolute(path, machine, cwd)).join(delimiter);
}

function absolute(path: string, machine: Machine, cwd: string): string {
  const { join, resolve } = pathOf(machine);
  return /^~[\\/]/.test(path) ? join(machine.homeDir, path.slice(2)) : resolve(cwd, path);
}

const systemFolders = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin'];

/** The terminal's, as it is where it leads to this Node; else with this Node's folder in front. */
function terminalPath(machine: Machine, { folder, isFirstOnPath }: Program): string {
  const first = isFirstOnPath ? [] : [folder];
  const all = [...first, ...foldersOnPath(machine), folder, ...systemFolders];
  return [...new Set(all)].join(pathOf(machine).delimiter);
}

/** Without what npm puts in front of it for the time that it runs us. */
export function foldersOnPath(machine: Pick<Machine, 'env' | 'platform'>): readonly string[] {
  const { isAbsolute, delimiter } = pathOf(machine);
  const folders = (machine.env['PATH'] ?? '').split(delimiter);
  return folders.filter((folder) => isAbsolute(folder) && !folder.split(/[\\/]/).includes('node_modules'));
}

/** Variables that we write: of an older entry they are replaced, and what else stands there is its owner's. */
export function isOurs(variable: string): boolean {
  return /^(K8S_GPU_MCP_.*|KUBECONFIG|PATH)$/.test(variable);
}

/**
 * The entry beside what its owner added to an older one (timeouts, permissions, more variables). A KUBECONFIG that was
 * written there by hand stays too where the terminal has none.
 */
export function merged(existing: unknown, entry: Entry): Values {
  if (!isOfProcess(existing)) return { ...entry };
  const before = isObject(existing['env']) ? existing['env'] : {};
  const kept = Object.entries(before).filter(([name]) => name === 'KUBECONFIG' || !isOurs(name));
  const env = { ...Object.fromEntries(kept), ...entry.env };
  const hasEnv = entry.env !== undefined || existing['env'] !== undefined;
  return { ...existing, ...entry, ...(hasEnv && { env }) };
}

/** A server at a URL has keys that do not go with a command: nothing of it is kept. */
export function isOfProcess(existing: unknown): existing is Values {
  return isObject(existing) && existing['url'] === undefined;
}

export function isObject(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** True where the two documents differ in this entry only, and it is as wanted in the second. */
export function onlyChanged(
  path: readonly [string, string],
  before: unknown,
  after: unknown,
  wanted: unknown,
): boolean {
  const [key, name] = path;
  const [old, now] = [withoutEntry(before, key, name), withoutEntry(after, key, name)];
  return isDeepStrictEqual(now.entry, wanted) && isDeepStrictEqual(now.rest, old.rest);
}

/** As lists of pairs: the parsers do not agree with literals about prototypes. */
function withoutEntry(document: unknown, key: string, name: string): { entry: unknown; rest: unknown } {
  if (!isObject(document)) return { entry: undefined, rest: [] };
  const { [key]: servers = {}, ...others } = document;
  if (!isObject(servers)) return { entry: undefined, rest: [others, servers] };
  const { [name]: entry, ...rest } = servers;
  return { entry: plain(entry), rest: [others, rest] };
}

export function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value) || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

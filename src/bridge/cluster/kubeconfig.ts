import { existsSync, readFileSync } from 'node:fs';
import { dirname, posix, win32 } from 'node:path';
import { KubeConfig, loadYaml } from '@kubernetes/client-node';
import { Fault } from '../../core/fault.ts';
import { plainText, whyUnreadable } from '../../core/words.ts';
import { chooseContext, type Kubeconfig } from './context.ts';
import { inClusterConfig } from './in-cluster.ts';
import type { Machine } from './programs.ts';
import { listed } from './text.ts';

/**
 * Reads the kubeconfig as kubectl does: the files of KUBECONFIG, else ~/.kube/config, else the pod's own account.
 * Not by the library's loadFromDefault: that reads process.env, refuses a name that occurs in two files, lets the
 * last file's context win, and goes on with localhost:8080 where there is nothing.
 *
 * @throws Fault KUBECONFIG_NOT_FOUND, KUBECONFIG_INVALID, CONTEXT_NOT_FOUND, CLUSTER_PLAIN_HTTP
 */
export function loadKubeconfig(machine: Machine, context: string | undefined): Kubeconfig {
  const paths = kubeconfigPaths(machine);
  const present = paths.filter((path) => existsSync(path));
  const config = present.length > 0 ? merge(present.map(readFile)) : inClusterConfig(machine);
  if (!config)
    throw new Fault(`${whatIsMissing(machine, paths)}, and this is not a pod in a cluster`, {
      code: 'KUBECONFIG_NOT_FOUND',
    });
  const from = present.length > 0 ? listed(present) : 'the service account';
  return chooseContext(config, context ?? config.currentContext, { from, env: machine.env });
}

function kubeconfigPaths({ env, homeDir, platform }: Machine): readonly string[] {
  const { join, delimiter } = platform === 'win32' ? win32 : posix;
  const { KUBECONFIG = '' } = env;
  const named = KUBECONFIG.split(delimiter).filter((path) => path !== '');
  // Hosts start us without a shell, so nobody has expanded the tilde of their settings.
  const expanded = named.map((path) => (/^~[\\/]/.test(path) ? join(homeDir, path.slice(2)) : path));
  return expanded.length > 0 ? expanded : [join(homeDir, '.kube', 'config')];
}

/** Which of both it was tells a host that passes no environment on from a path that is mistyped. */
function whatIsMissing({ env }: Machine, paths: readonly string[]): string {
  return env['KUBECONFIG']
    ? `KUBECONFIG is ${listed(paths)}, and no such file exists`
    : `no kubeconfig: KUBECONFIG is not set, ${listed(paths)} does not exist`;
}

const notOne = 'it is not a kubeconfig';

interface RawKubeconfig {
  users?: { user?: { tokenFile?: string; exec?: { command?: string } } & Record<string, unknown> }[];
}

function readFile(path: string): KubeConfig {
  const read = parse(path);
  if (typeof read === 'string')
    throw new Fault(`cannot use ${path}: ${read}`, { code: 'KUBECONFIG_INVALID' });
  return read;
}

/** The file's content, or why there is none. */
function parse(path: string): KubeConfig | string {
  try {
    const config = new KubeConfig();
    const text = readFileSync(path, 'utf8');
    if (text.trim() === '') return config;
    const raw = loadYaml<RawKubeconfig>(text);
    if (typeof raw !== 'object' || Array.isArray(raw)) return notOne;
    for (const { user } of raw.users ?? []) if (user) makeUsable(user, dirname(path));
    config.loadFromString(JSON.stringify(raw), { onInvalidEntry: 'filter' });
    config.makePathsAbsolute(dirname(path));
    return config;
  } catch (thrown) {
    return reasonOf(thrown);
  }
}

/** The library knows neither `tokenFile` (it looks for `token-file`) nor a plugin's path beside the kubeconfig. */
function makeUsable(
  user: NonNullable<NonNullable<RawKubeconfig['users']>[number]['user']>,
  folder: string,
): void {
  const { resolve } = folder.includes('\\') ? win32 : posix;
  if (user.tokenFile !== undefined)
    user['auth-provider'] = { name: 'tokenFile', config: { tokenFile: resolve(folder, user.tokenFile) } };
  const command = user.exec?.command;
  if (user.exec && command && /[\\/]/.test(command)) user.exec.command = resolve(folder, command);
}

/** Never the whole message of the YAML parser: it quotes the lines around the mistake, and there are tokens in there. For the same reason it is no cause. */
function reasonOf(thrown: unknown): string {
  const { reason, mark, code } = thrown as { reason?: unknown; mark?: { line?: number }; code?: unknown };
  if (typeof reason === 'string') return plainText(`line ${(mark?.line ?? 0) + 1}: ${reason}`, 120);
  return typeof code === 'string' ? whyUnreadable(thrown) : notOne;
}

/** The first file that has a name, or a current context, wins. */
function merge(configs: readonly KubeConfig[]): KubeConfig {
  const merged = new KubeConfig();
  merged.loadFromOptions({
    clusters: firstOfEachName(configs.flatMap(({ clusters }) => clusters)),
    users: firstOfEachName(configs.flatMap(({ users }) => users)),
    contexts: firstOfEachName(configs.flatMap(({ contexts }) => contexts)),
    currentContext: configs.find(({ currentContext }) => currentContext)?.currentContext,
  });
  return merged;
}

function firstOfEachName<Entry extends { name: string }>(entries: readonly Entry[]): Entry[] {
  return entries.filter((entry, index) => entries.findIndex(({ name }) => name === entry.name) === index);
}

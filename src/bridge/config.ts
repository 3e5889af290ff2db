import { readFileSync } from 'node:fs';

import { Argument, Command, InvalidArgumentError } from 'commander';

import {
  badFlag,
  durationFrom,
  type Environment,
  environmentName,
  listOption,
  option,
  parseCommandLine,
  withoutUnfilled,
} from '../core/command-line.ts';
import type { Fault } from '../core/fault.ts';
import { type LogLevel, logLevels } from '../core/log.ts';
import { didYouMean } from '../core/similar.ts';
import { whyUnreadable } from '../core/words.ts';
import { version } from '../version.ts';
import { defaultExecTimeoutMs, defaultLimits, type Limits, limitsFor } from './fleet/limits.ts';
import { listedTools } from './listed-tools.ts';

interface Flags {
  readonly context?: string;
  readonly namespace?: string;
  readonly selector?: string;
  readonly node?: readonly NamedUrl[];
  readonly tokenFile?: string;
  readonly timeout?: number;
  readonly transport: Transport;
  readonly structured?: boolean;
  readonly logLevel: LogLevel;
}

const transports = ['port-forward', 'exec', 'direct'] as const;
export type Transport = (typeof transports)[number];

export interface NamedUrl {
  readonly name: string;
  readonly url: URL;
}

export const hostNames = ['claude-desktop', 'claude-code', 'cursor', 'vscode', 'codex'] as const;
export type HostName = (typeof hostNames)[number];

export interface Installation {
  readonly host: HostName;
  readonly demo: boolean;
  readonly print: boolean;
  /** What was said by flags or variables, as variables: hosts garble arguments with spaces. */
  readonly variables: Readonly<Record<string, string>>;
}

export type Task =
  | { readonly kind: 'serve' }
  | { readonly kind: 'call'; readonly tool: string; readonly args: readonly string[] }
  | { readonly kind: 'demo'; readonly stdio: boolean }
  | ({ readonly kind: 'install' } & Installation);

export interface Config {
  readonly task: Task;
  readonly context: string | undefined;
  readonly namespace: string | undefined;
  readonly selector: string | undefined;
  /** Asked instead of a cluster. */
  readonly nodes: readonly NamedUrl[];
  readonly token: string | undefined;
  readonly transport: Transport;
  readonly structured: boolean;
  readonly limits: Limits;
  readonly logLevel: LogLevel;
}

const timeoutRange = `more than ${defaultLimits.nodeMs / 1000}s and less than ${defaultLimits.hostMs / 1000}s`;
const defaultTimeout = `${defaultLimits.fanOutMs / 1000}s, ${defaultLimits.exec.fanOutMs / 1000}s by exec`;

const flags = [
  option('--context <name>', 'kubeconfig context; default: the current one'),
  option('--namespace <name>', "the agents' namespace; default: found"),
  option('--selector <labels>', 'narrows the agents, as in kubectl -l'),
  listOption('--node <name=url>', 'ask this agent, and no cluster; can be repeated', namedUrl),
  option('--token-file <path>', "the agents' bearer token; sent only with --namespace or --node"),
  option(
    '--timeout <duration>',
    `for a whole call; then it answers with what has come (default: ${defaultTimeout})`,
  ).argParser(durationFrom(1, 600_000, timeoutRange)),
  option('--transport <kind>', 'the way to the agents; those in stdio mode are always asked by exec')
    .choices(transports)
    .default('port-forward'),
  option('--structured', 'also answer in data (structuredContent), for hosts that run code'),
  option('--log-level <level>', 'least level that is logged, to stderr').choices(logLevels).default('warn'),
];

const toolNames = listedTools.plain.map(({ name }) => name);

/** Flags first, then commands; with none it is an MCP server on stdin and stdout, as hosts start it. */
function command(task: (task: Task) => void): Command {
  const program = new Command('k8s-gpu-mcp')
    .description(
      'Asks every GPU node of a Kubernetes cluster and merges the answers. Without a command: MCP on stdin and stdout.',
    )
    .version(version)
    .helpOption('-h, --help', 'print this and exit')
    .helpCommand(false)
    .allowExcessArguments()
    .action((_options, { args: [word], commands }: Command) => {
      if (word !== undefined) throw noCommand(word, commands);
      task({ kind: 'serve' });
    });
  for (const flag of flags) program.addOption(flag);
  program
    .command('call')
    .description('print one answer: call get_gpu_health nodes=gpu-1,gpu-2 detail=full')
    .argument('<tool>', `one of ${toolNames.join(', ')}`)
    .argument('[arguments...]', "key=value … or one '{json}'")
    .action((tool: string, args: string[]) => task({ kind: 'call', tool, args }));
  program
    .command('demo')
    .description('show it on four simulated nodes; no cluster needed')
    .allowExcessArguments(false)
    .option('--stdio', 'be an MCP server over those nodes')
    .action(({ stdio = false }: { stdio?: boolean }) => task({ kind: 'demo', stdio }));
  program
    .command('install')
    .description('write the entry, with the flags given, into the configuration of an assistant')
    .addArgument(new Argument('<host>').choices(hostNames))
    .allowExcessArguments(false)
    .option('--demo', 'an entry of its own for the demo')
    .option('--print', 'print what would be written, and touch nothing')
    .action((host: HostName, { demo = false, print = false }: { demo?: boolean; print?: boolean }) =>
      task({ kind: 'install', host, demo, print, variables: {} }),
    );
  return program;
}

function noCommand(word: string, commands: readonly Command[]): Fault {
  if (toolNames.includes(word)) return badFlag(`${word} is a tool, and no command: call ${word}`);
  const known = commands.map((each) => each.name());
  const near = didYouMean(word, [...known, '--help', '--version']);
  return badFlag(`there is no command ${word}${near}; there are ${known.join(', ')}`);
}

/** @throws Fault BAD_FLAG naming the flag or variable and what is allowed */
export function parseConfig(
  argv: readonly string[],
  environment: Environment,
): { config: Config } | { print: string } {
  let task = { kind: 'serve' } as Task;
  const program = command((chosen) => {
    task = chosen;
  });
  const parsed = parseCommandLine<Flags>(program, argv, environment);
  if ('print' in parsed) return parsed;
  const given = parsed.values;
  // The demo brings nodes of its own: what the environment says of others must not reach them, nor fail it.
  const isDemo = task.kind === 'demo' || (task.kind === 'install' && task.demo);
  const where = isDemo ? noWhere : whereOf(given, parsed.givenAs);
  const asksCluster = !isDemo && where.nodes.length === 0;
  const limits = limitsFor(given.timeout, asksCluster ? execTimeoutIn(environment) : defaultExecTimeoutMs);
  if (task.kind === 'install') task = { ...task, variables: variablesFor(isDemo, parsed.variables) };
  return {
    config: {
      task,
      ...where,
      transport: given.transport,
      structured: given.structured ?? false,
      limits,
      logLevel: given.logLevel,
    },
  };
}

const execTimeout = 'EXEC_TIMEOUT';

/** No flag: the background's name for it, kept as it is. */
function execTimeoutIn(environment: Environment): number {
  const { [execTimeout]: text = '' } = withoutUnfilled(environment);
  if (text.trim() === '') return defaultExecTimeoutMs;
  try {
    return durationFrom(1000, 600_000, '1s to 10m')(text.trim());
  } catch (cause) {
    throw badFlag(`${execTimeout} is '${text}'. ${(cause as Error).message}`, cause);
  }
}

const withoutWhere = ['--timeout', '--structured', '--log-level'].map(environmentName);

/** Read back at once: what a flag can say and a variable cannot, such as a URL with a comma, is refused here. */
function variablesFor(isDemo: boolean, all: Environment): Installation['variables'] {
  const kept = Object.entries(all).filter(([name]) => !isDemo || withoutWhere.includes(name));
  const variables = Object.fromEntries(kept.map(([name, value = '']) => [name, value]));
  parseConfig([], variables);
  return variables;
}

type Where = Pick<Config, 'context' | 'namespace' | 'selector' | 'nodes' | 'token'>;

const noWhere: Where = {
  context: undefined,
  namespace: undefined,
  selector: undefined,
  nodes: [],
  token: undefined,
};

function whereOf(flags: Flags, givenAs: (flag: keyof Flags) => string): Where {
  const { context, namespace, selector, node: nodes = [], tokenFile } = flags;
  const ofCluster = (['context', 'namespace', 'selector'] as const).filter(
    (flag) => flags[flag] !== undefined,
  );
  const [first] = ofCluster;
  if (nodes.length > 0 && first !== undefined)
    throw badFlag(`${givenAs('node')} asks no cluster: ${givenAs(first)} does not go with it`);
  const names = nodes.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined)
    throw badFlag(`${givenAs('node')} names ${twice} twice: each node needs a name of its own`);
  if (tokenFile !== undefined && nodes.length === 0 && namespace === undefined)
    throw badFlag(`${givenAs('tokenFile')} needs --namespace or --node: a token goes only where you named`);
  const token = tokenFile === undefined ? undefined : readToken(tokenFile, givenAs('tokenFile'));
  return { context, namespace, selector, nodes, token };
}

function namedUrl(text: string): NamedUrl {
  const [, name, url] = /^([^=]+)=(https?:\/\/.+)$/.exec(text) ?? [];
  if (name === undefined || url === undefined || !URL.canParse(url))
    throw new InvalidArgumentError('Allowed is NAME=http(s)://HOST:PORT.');
  return { name, url: new URL(url) };
}

/** What it holds is a secret, also where it is none: no message quotes it. */
function readToken(path: string, flag: string): string {
  const token = contentOf(path, flag).trim();
  if (token === '') throw badFlag(`${flag} ${path} is empty`);
  if (!/^[\x21-\x7e]+$/.test(token))
    throw badFlag(`${flag} ${path} holds no token: allowed are visible ASCII characters, without spaces`);
  return token;
}

function contentOf(path: string, flag: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw badFlag(`${flag} ${path} cannot be read: ${whyUnreadable(cause)}`, cause);
  }
}

import { readFileSync } from 'node:fs';

import { Command } from 'commander';

import {
  badFlag,
  durationFrom,
  type Environment,
  integerFrom,
  option,
  parseCommandLine,
  portNumber,
} from '../core/command-line.ts';
import { checkLadder } from '../core/deadlines.ts';
import { type LogLevel, logLevels } from '../core/log.ts';
import { whyUnreadable } from '../core/words.ts';
import { version } from '../version.ts';
import { httpLimits } from './limits.ts';

interface Flags {
  readonly port: number;
  readonly addr: string;
  readonly healthPort?: number;
  readonly healthAddr: string;
  readonly nvmlMode: 'real' | 'simulated';
  readonly nvmlLibrary?: string;
  readonly scenario?: string;
  readonly sampleInterval: number;
  readonly tokenFile?: string;
  readonly insecureNoAuth?: boolean;
  readonly allowedHosts?: readonly string[];
  readonly oneshot?: number;
  readonly idle?: boolean;
  readonly logLevel: LogLevel;
}

export type Mode =
  | { readonly kind: 'http'; readonly port: number; readonly addr: string }
  | { readonly kind: 'stdio' }
  /** `agentPort`: where an agent of the same pod may already listen. */
  | { readonly kind: 'oneshot'; readonly requests: number; readonly agentPort: number | undefined }
  | { readonly kind: 'idle' };

export interface Config {
  readonly mode: Mode;
  readonly health: { readonly port: number; readonly addr: string } | undefined;
  readonly nvml: { readonly mode: 'real' | 'simulated'; readonly library: string | undefined };
  readonly scenarioFile: string | undefined;
  readonly sampleIntervalMs: number;
  readonly token: string | undefined;
  readonly insecureNoAuth: boolean;
  readonly allowedHosts: readonly string[] | undefined;
  /** NODE_NAME, as the chart sets it by the downward API. */
  readonly nodeName: string | undefined;
  readonly logLevel: LogLevel;
}

const hosts = (one: string, all: readonly string[] = []): readonly string[] => [...all, one];

const flags = [
  option('--port <number>', 'serve MCP over HTTP; 0: over stdin and stdout').argParser(portNumber).default(0),
  option('--addr <address>', 'address of the MCP listener').default('127.0.0.1'),
  option('--health-port <number>', 'serve /healthz /readyz /version /metrics').argParser(portNumber),
  option('--health-addr <address>', 'address of the health listener').default('127.0.0.1'),
  option('--nvml-mode <mode>', 'where GPUs come from').choices(['real', 'simulated']).default('real'),
  option('--nvml-library <path>', 'libnvidia-ml.so.1 to load; default: searched'),
  option('--scenario <file>', 'simulated GPUs (YAML); default: 8 healthy H100'),
  option('--sample-interval <duration>', 'time between two readings of every GPU')
    .argParser(durationFrom(10, 3_600_000))
    .default(10_000, '10s'),
  option('--token-file <path>', 'bearer token that every MCP request must carry'),
  option('--insecure-no-auth', 'let anyone who reaches --addr ask, without a token'),
  option(
    '--allowed-hosts <name...>',
    'Host headers accepted besides loopback, with --insecure-no-auth',
  ).argParser(hosts),
  option('--oneshot <requests>', 'answer so many requests from stdin, or until its end, then exit').argParser(
    integerFrom(1, 1_000_000),
  ),
  option('--idle', 'only wait for SIGTERM and reap children: for a pod used by kubectl exec … --oneshot'),
  option('--log-level <level>', 'least level that is logged, to stderr').choices(logLevels).default('info'),
];

function command(): Command {
  const agent = new Command('agent')
    .description(
      'Answers MCP requests about the GPUs of this node: over HTTP with --port, else over stdin and stdout.',
    )
    .version(version)
    .helpOption('-h, --help', 'print this and exit')
    .allowExcessArguments(false);
  for (const flag of flags) agent.addOption(flag);
  return agent;
}

/**
 * @throws Fault BAD_FLAG naming the flag or variable and what is allowed
 */
export function parseConfig(
  argv: readonly string[],
  environment: Environment,
): { config: Config } | { print: string } {
  const parsed = parseCommandLine<Flags>(command(), argv, environment);
  if ('print' in parsed) return parsed;
  const { values, fromFlag } = parsed;
  checkLadder([
    ['response', httpLimits.responseMs],
    ['keep-alive', httpLimits.keepAliveMs],
  ]);
  const mode = modeOf(values, fromFlag('port'));
  checkHealth(values, mode, fromFlag('healthPort'));
  if (values.scenario !== undefined && values.nvmlMode !== 'simulated')
    throw badFlag('--scenario is only allowed with --nvml-mode simulated');
  if (values.nvmlLibrary !== undefined && values.nvmlMode !== 'real')
    throw badFlag('--nvml-library is only allowed with --nvml-mode real');
  if (mode.kind === 'http') checkDoor(values);
  return {
    config: {
      mode,
      health:
        values.healthPort === undefined ? undefined : { port: values.healthPort, addr: values.healthAddr },
      nvml: { mode: values.nvmlMode, library: values.nvmlLibrary },
      scenarioFile: values.scenario,
      sampleIntervalMs: values.sampleInterval,
      token: values.tokenFile === undefined ? undefined : readToken(values.tokenFile),
      insecureNoAuth: values.insecureNoAuth ?? false,
      allowedHosts: values.allowedHosts,
      nodeName: environment['NODE_NAME'] || undefined,
      logLevel: values.logLevel,
    },
  };
}

function modeOf({ port, addr, oneshot, idle }: Flags, portByFlag: boolean): Mode {
  if (oneshot !== undefined && idle) throw badFlag('--oneshot and --idle exclude each other');
  if (portByFlag && port > 0 && oneshot !== undefined)
    throw badFlag('--oneshot and --port exclude each other');
  if (portByFlag && port > 0 && idle) throw badFlag('--idle and --port exclude each other');
  if (oneshot !== undefined) return { kind: 'oneshot', requests: oneshot, agentPort: port || undefined };
  if (idle) return { kind: 'idle' };
  return port > 0 ? { kind: 'http', port, addr } : { kind: 'stdio' };
}

function checkHealth({ port, addr, healthPort, healthAddr }: Flags, { kind }: Mode, byFlag: boolean): void {
  if (kind !== 'http' && byFlag) throw badFlag('--health-port is only allowed with a --port above 0');
  const overlap = addr === healthAddr || [addr, healthAddr].some((one) => ['0.0.0.0', '::'].includes(one));
  if (kind === 'http' && port === healthPort && overlap)
    throw badFlag(`--port and --health-port are both ${port}: each listener needs a port of its own`);
}

/** Beyond loopback anyone on the pod network can ask: that takes a token, or a flag that says what it does. */
function checkDoor({ addr, tokenFile, insecureNoAuth, allowedHosts }: Flags): void {
  if (allowedHosts && !insecureNoAuth)
    throw badFlag('--allowed-hosts is only allowed with --insecure-no-auth');
  if (isLoopback(addr) || tokenFile !== undefined || insecureNoAuth) return;
  throw badFlag(`--addr ${addr} is reachable from outside the pod: set --token-file, or --insecure-no-auth`);
}

export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);
}

function readToken(path: string): string {
  let token: string;
  try {
    token = readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw badFlag(`--token-file ${path} cannot be read: ${whyUnreadable(cause)}`, cause);
  }
  if (/[^\x21-\x7e]/.test(token))
    throw badFlag(`--token-file ${path} must hold one line of visible ASCII characters, without spaces`);
  if (token.length < 16)
    throw badFlag(`--token-file ${path} holds ${token.length} characters; at least 16 are needed`);
  return token;
}

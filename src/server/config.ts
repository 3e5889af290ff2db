import { badFlag, type Environment, parseCommandLine } from '../core/command-line.ts';
import { checkLadder } from '../core/deadlines.ts';
import type { LogLevel } from '../core/log.ts';
import { command, type Flags } from './flags.ts';
import { httpLimits } from './limits.ts';
import { checkReach } from './reach.ts';
import { readToken } from './secrets.ts';
import type { TlsFiles } from './tls-pair.ts';

export type Mode =
  | { readonly kind: 'http'; readonly port: number; readonly addr: string }
  | { readonly kind: 'stdio' }
  /** `agentPort`: where an agent of the same pod may already listen. */
  | { readonly kind: 'oneshot'; readonly requests: number; readonly agentPort: number | undefined }
  | { readonly kind: 'idle' };

export interface Config {
  readonly mode: Mode;
  /** Where else MCP is served, on the same port: for the pod network. */
  readonly exposeAddr: string | undefined;
  /** Of the listener that is reachable from outside the pod. */
  readonly tls: TlsFiles | undefined;
  readonly health: { readonly port: number; readonly addr: string } | undefined;
  /** Whether the node's kernel log is read. */
  readonly kernelLog: boolean;
  /** What the health listener's /metrics tells besides the agent's own state. */
  readonly metrics: { readonly gpus: boolean };
  /** The kubelet's, where it may be asked who was given which GPU. */
  readonly podResourcesSocket: string | undefined;
  /** Where the history outlives the agent. */
  readonly historyDir: string | undefined;
  readonly nvml: { readonly mode: 'real' | 'simulated'; readonly library: string | undefined };
  readonly scenarioFile: string | undefined;
  readonly sampleIntervalMs: number;
  readonly tokenFile: string | undefined;
  /** As it was at the start. */
  readonly token: string | undefined;
  readonly insecureNoAuth: boolean;
  readonly allowedHosts: readonly string[] | undefined;
  /** NODE_NAME, as the chart sets it by the downward API. */
  readonly nodeName: string | undefined;
  readonly logLevel: LogLevel;
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
  const { values, fromFlag, givenAs } = parsed;
  checkLadder([
    ['response', httpLimits.responseMs],
    ['keep-alive', httpLimits.keepAliveMs],
  ]);
  const mode = modeOf(values, fromFlag('port'));
  checkReach(values, mode.kind === 'http', { byFlag: fromFlag, as: givenAs });
  checkGpus(values);
  checkMetrics(values, fromFlag);
  if (fromFlag('historyDir') && mode.kind !== 'http')
    throw badFlag(
      '--history-dir is only allowed with --port: it belongs to the agent that runs all the time',
    );
  return { config: configFrom(values, mode, environment['NODE_NAME'] || undefined) };
}

function configFrom(values: Flags, mode: Mode, nodeName: string | undefined): Config {
  const { tlsCertFile: certFile, tlsKeyFile: keyFile, tokenFile, healthPort } = values;
  return {
    mode,
    exposeAddr: values.exposeAddr,
    tls: certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile },
    health: healthPort === undefined ? undefined : { port: healthPort, addr: values.healthAddr },
    kernelLog: values.kernelLog ?? false,
    metrics: { gpus: values.metricsGpu ?? false },
    podResourcesSocket: values.podResourcesSocket,
    historyDir: values.historyDir,
    nvml: { mode: values.nvmlMode, library: values.nvmlLibrary },
    scenarioFile: values.scenario,
    sampleIntervalMs: values.sampleInterval,
    tokenFile,
    token: tokenFile === undefined ? undefined : readToken(tokenFile),
    insecureNoAuth: values.insecureNoAuth ?? false,
    allowedHosts: values.allowedHosts,
    nodeName,
    logLevel: values.logLevel,
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

function checkGpus({ nvmlMode, nvmlLibrary, scenario, kernelLog }: Flags): void {
  if (scenario !== undefined && nvmlMode !== 'simulated')
    throw badFlag('--scenario is only allowed with --nvml-mode simulated');
  if (nvmlLibrary !== undefined && nvmlMode !== 'real')
    throw badFlag('--nvml-library is only allowed with --nvml-mode real');
  if (kernelLog && nvmlMode !== 'real')
    throw badFlag('--kernel-log is only allowed with --nvml-mode real: simulated GPUs are in no kernel log');
}

/** By flag only, as for what belongs to a listener: `kubectl exec … /agent` inherits the variables. */
function checkMetrics({ healthPort }: Flags, byFlag: (name: keyof Flags) => boolean): void {
  if (byFlag('metricsGpu') && healthPort === undefined)
    throw badFlag('--metrics-gpu is only allowed with --health-port, which serves /metrics');
}

import { Command } from 'commander';

import { durationFrom, integerFrom, option, portNumber } from '../core/command-line.ts';
import { type LogLevel, logLevels } from '../core/log.ts';
import { version } from '../version.ts';

/** What was given, and the defaults of what was not. */
export interface Flags {
  readonly port: number;
  readonly addr: string;
  readonly exposeAddr?: string;
  readonly tlsCertFile?: string;
  readonly tlsKeyFile?: string;
  readonly healthPort?: number;
  readonly healthAddr: string;
  readonly metricsGpu?: boolean;
  readonly kernelLog?: boolean;
  readonly podResourcesSocket?: string;
  readonly historyDir?: string;
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

const hosts = (one: string, all: readonly string[] = []): readonly string[] => [...all, one];

const flags = [
  option('--port <number>', 'serve MCP over HTTP; 0: over stdin and stdout').argParser(portNumber).default(0),
  option('--addr <address>', 'address of the MCP listener').default('127.0.0.1'),
  option('--expose-addr <address>', 'a second MCP listener on the same port, for the pod network'),
  option(
    '--tls-cert-file <path>',
    'certificate (PEM) of the listener that is reachable from outside the pod',
  ),
  option('--tls-key-file <path>', 'its private key (PEM)'),
  option('--health-port <number>', 'serve /healthz /readyz /version /metrics').argParser(portNumber),
  option('--health-addr <address>', 'address of the health listener').default('127.0.0.1'),
  option('--metrics-gpu', "add the readings of every GPU to /metrics, under dcgm-exporter's names"),
  option(
    '--kernel-log',
    'read what the kernel log tells of GPUs: Xids, PCIe errors, kills; takes the capability SYSLOG',
  ),
  option('--pod-resources-socket <path>', "the kubelet's: tells which pod was given which GPU"),
  option(
    '--history-dir <path>',
    'folder that keeps what GPUs did, and their events, over restarts of the agent: 14 MiB at most',
  ),
  option('--nvml-mode <mode>', 'where GPUs come from').choices(['real', 'simulated']).default('real'),
  option('--nvml-library <path>', 'libnvidia-ml.so.1 to load; default: searched'),
  option('--scenario <file>', 'simulated GPUs (YAML); default: 8 healthy H100'),
  option('--sample-interval <duration>', 'time between two readings of every GPU')
    .argParser(durationFrom(10, 3_600_000))
    .default(10_000, '10s'),
  option(
    '--token-file <path>',
    'bearer token that every MCP request must carry, at --expose-addr where that is set',
  ),
  option('--insecure-no-auth', 'let anyone who reaches --addr or --expose-addr ask, without a token'),
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

export function command(): Command {
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

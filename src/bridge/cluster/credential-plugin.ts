import { type ChildProcess, spawn } from 'node:child_process';
import { Fault } from '../../core/fault.ts';
import { isTimeout } from '../../core/time-limit.ts';
import { plainText } from '../../core/words.ts';
import { environmentFor, findProgram, type Machine, programFolders } from './programs.ts';
import { listed } from './text.ts';

/** `users[].user.exec` of a kubeconfig. */
export interface Plugin {
  readonly apiVersion?: string;
  readonly command?: string;
  readonly args?: readonly string[] | null;
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null;
  readonly installHint?: string;
  readonly interactiveMode?: string;
  readonly provideClusterInfo?: boolean;
}

/** What a plugin printed. Certificates are PEM. */
export interface Credential {
  readonly token?: string;
  readonly clientCertificateData?: string;
  readonly clientKeyData?: string;
  readonly expirationTimestamp?: string;
}

const mostOutput = 1024 * 1024;

/**
 * Runs the program that the kubeconfig names for logging in. Ours and not the library's ExecAuth: that cannot end
 * a plugin that hangs, starts one for each request at once, leaves its stdin open, tells it nothing
 * (KUBERNETES_EXEC_INFO), and quotes what it printed, tokens included, in its errors.
 *
 * @param cluster for plugins that ask for it (provideClusterInfo), in the form of the ExecCredential API
 * @throws Fault CREDENTIAL_PLUGIN_FAILED
 */
export async function runPlugin(
  plugin: Plugin,
  { machine, cluster, signal }: { machine: Machine; cluster: object; signal: AbortSignal },
): Promise<Credential> {
  const { command = '' } = plugin;
  const program = findProgram(command, machine);
  if (program === null) throw notFound(plugin, machine);
  if (plugin.interactiveMode === 'Always')
    throw failed(command, 'it needs a terminal (interactiveMode: Always)');

  const env = { ...environmentFor(machine), ...askedFor(plugin, cluster) };
  const { code, stdout, stderr } = await output(start(program, plugin.args ?? [], { env, signal }), command);
  if (code !== 0) {
    throw failed(command, `exit code ${code}: ${complaint(stderr) || 'it says nothing'}`);
  }
  return parse(stdout, command);
}

/** From the first line that speaks of an error, since advice may follow; else the last line. */
function complaint(stderr: string): string {
  const lines = stderr.trimEnd().split('\n');
  const first = lines.findIndex((line) => /error|fail|denied|expired/i.test(line));
  return plainText(lines.slice(first).join(' '), 500);
}

function askedFor(plugin: Plugin, cluster: object): Record<string, string> {
  const spec = { interactive: false, ...(plugin.provideClusterInfo ? { cluster } : {}) };
  const { apiVersion = 'client.authentication.k8s.io/v1' } = plugin;
  const info = JSON.stringify({ apiVersion, kind: 'ExecCredential', spec });
  const own = (plugin.env ?? []).map(({ name, value }) => [name, value] as const);
  return { ...Object.fromEntries(own), KUBERNETES_EXEC_INFO: info };
}

interface StartOptions {
  readonly env: Record<string, string | undefined>;
  readonly signal: AbortSignal;
}

/** Batch files run in a shell only, which sees words where quotes are missing. */
function start(program: string, args: readonly string[], { env, signal }: StartOptions): ChildProcess {
  const batch = /\.(cmd|bat)$/i.test(program);
  const quote = (word: string) => (batch ? `"${word.replaceAll('"', '""')}"` : word);
  return spawn(quote(program), args.map(quote), {
    env,
    signal,
    shell: batch,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
  });
}

interface Output {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function output(child: ChildProcess, command: string): Promise<Output> {
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      said[name] = (said[name] + text).slice(-mostOutput);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('close', (code) => resolve({ code, ...said }));
    child.once('error', (error: NodeJS.ErrnoException) => {
      // Its own children may hold these open, and us with them.
      child.stdout?.destroy();
      child.stderr?.destroy();
      const ended = error.name === 'AbortError';
      const why = isTimeout(error.cause)
        ? 'it did not answer in time and was ended'
        : (error.code ?? error.message);
      reject(ended && !isTimeout(error.cause) ? error.cause : failed(command, plainText(why)));
    });
  });
}

/** What it printed is a credential, or next to one: no part of it may get into a message. */
function parse(stdout: string, command: string): Credential {
  const status = statusOf(stdout);
  if (status === null) throw failed(command, `it printed no ExecCredential (${stdout.length} characters)`);
  const { token, clientCertificateData, clientKeyData } = status;
  if (!token && !(clientCertificateData && clientKeyData))
    throw failed(command, 'its ExecCredential has neither a token nor a certificate with its key');
  return status;
}

function statusOf(stdout: string): Credential | null {
  try {
    const { status } = JSON.parse(stdout) as { status?: unknown };
    return typeof status === 'object' ? (status as Credential | null) : null;
  } catch {
    return null;
  }
}

function failed(command: string, why: string): Fault {
  return new Fault(`logging in by ${plainText(command)} failed: ${why}`, {
    code: 'CREDENTIAL_PLUGIN_FAILED',
  });
}

function notFound({ command = '', installHint }: Plugin, machine: Machine): Fault {
  const hint = installHint ? `; the kubeconfig says: ${plainText(installHint)}` : '';
  const folders = programFolders(machine);
  const where = /[\\/]/.test(command) ? '' : `; looked in the folders ${listed(folders, 6)}`;
  return failed(command, `there is no such program${where}${hint}`);
}

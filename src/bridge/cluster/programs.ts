import { accessSync, constants, statSync } from 'node:fs';
import { posix, win32 } from 'node:path';

/** The machine as far as finding files goes. */
export interface Machine {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDir: string;
  readonly platform: NodeJS.Platform;
}

/**
 * Where credential plugins are usually installed. Programs started from a desktop (Claude Desktop, Cursor) have a
 * PATH without these. `~` is the home folder; `%NAME%` is taken from the environment.
 */
const usualFolders: Readonly<Record<'win32' | 'darwin' | 'linux', readonly string[]>> = {
  darwin: [
    '/opt/homebrew/bin',
    '/usr/local/bin',
    '/opt/local/bin',
    '/opt/homebrew/share/google-cloud-sdk/bin',
    '/usr/local/share/google-cloud-sdk/bin',
    '~/google-cloud-sdk/bin',
    '~/.local/bin',
    '~/.krew/bin',
    '~/.asdf/shims',
    '~/.local/share/mise/shims',
    '~/.azure-kubelogin',
    '~/.azure-kubectl',
    '~/go/bin',
    '~/bin',
    '/usr/bin',
    '/bin',
  ],
  linux: [
    '/usr/local/bin',
    '/usr/bin',
    '/bin',
    '/snap/bin',
    '/home/linuxbrew/.linuxbrew/bin',
    '/usr/lib/google-cloud-sdk/bin',
    '/opt/google-cloud-sdk/bin',
    '~/google-cloud-sdk/bin',
    '~/.local/bin',
    '~/.krew/bin',
    '~/.asdf/shims',
    '~/.local/share/mise/shims',
    '~/.azure-kubelogin',
    '~/.nix-profile/bin',
    '~/go/bin',
    '~/bin',
  ],
  win32: [
    '%ProgramFiles%\\Amazon\\AWSCLIV2',
    '%ProgramFiles%\\Google\\Cloud SDK\\google-cloud-sdk\\bin',
    '%ProgramFiles(x86)%\\Google\\Cloud SDK\\google-cloud-sdk\\bin',
    '%LOCALAPPDATA%\\Google\\Cloud SDK\\google-cloud-sdk\\bin',
    '%ProgramFiles%\\Microsoft SDKs\\Azure\\CLI2\\wbin',
    '%LOCALAPPDATA%\\Microsoft\\WinGet\\Links',
    '%ProgramData%\\chocolatey\\bin',
    '~\\scoop\\shims',
    '~\\.azure-kubelogin',
    '~\\.krew\\bin',
    '~\\.local\\bin',
    '~\\go\\bin',
    '~\\bin',
  ],
};

/** PATH, then the usual folders that it lacks. */
export function programFolders(machine: Machine): readonly string[] {
  const { homeDir, platform } = machine;
  const path = variable(machine, 'PATH').split(platform === 'win32' ? ';' : ':');
  const usual = usualFolders[platform === 'win32' || platform === 'darwin' ? platform : 'linux']
    .map((folder) => folder.replace(/^~/, () => homeDir))
    .map((folder) => folder.replace(/%([^%]+)%/g, (_, name: string) => variable(machine, name)));
  const complete = usual.filter((folder) => !/^[\\/]?$/.test(folder) && !folder.startsWith('\\'));
  return [...new Set([...path.filter((folder) => folder !== ''), ...complete])];
}

/** A copy of the environment with all of `programFolders` in PATH: plugins start programs of their own. */
export function environmentFor(machine: Machine): Record<string, string | undefined> {
  const others = Object.entries(machine.env).filter(([name]) => !isSame(machine, name, 'PATH'));
  const path = programFolders(machine).join(machine.platform === 'win32' ? ';' : ':');
  return { ...Object.fromEntries(others), PATH: path };
}

/** The absolute path of a program, or null if none of the folders has it. A name with a separator is a path already. */
export function findProgram(command: string, machine: Machine): string | null {
  const { join } = machine.platform === 'win32' ? win32 : posix;
  const names = withSuffixes(command, machine);
  if (/[\\/]/.test(command)) return names.find((name) => isProgram(name, machine)) ?? null;
  const paths = programFolders(machine).flatMap((folder) => names.map((name) => join(folder, name)));
  return paths.find((path) => isProgram(path, machine)) ?? null;
}

function withSuffixes(command: string, machine: Machine): readonly string[] {
  if (machine.platform !== 'win32') return [command];
  const suffixes = (variable(machine, 'PATHEXT') || '.COM;.EXE;.BAT;.CMD').toLowerCase().split(';');
  if (suffixes.some((suffix) => suffix !== '' && command.toLowerCase().endsWith(suffix))) return [command];
  return suffixes.map((suffix) => command + suffix);
}

function isProgram(path: string, { platform }: Machine): boolean {
  try {
    accessSync(path, platform === 'win32' ? constants.F_OK : constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Windows calls it `Path`, and a copy of its environment minds the case. */
function variable(machine: Machine, name: string): string {
  const key = Object.keys(machine.env).find((candidate) => isSame(machine, candidate, name));
  return (key === undefined ? undefined : machine.env[key]) ?? '';
}

function isSame({ platform }: Machine, a: string, b: string): boolean {
  return platform === 'win32' ? a.toLowerCase() === b.toLowerCase() : a === b;
}

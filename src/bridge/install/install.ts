import { existsSync, readdirSync, realpathSync } from 'node:fs';

import type { Installation } from '../config.ts';
import { readConfig, replaceConfig } from './config-file.ts';
import { difference } from './difference.ts';
import { entryFor, foldersOnPath, isObject, isOurs, type Program, serverName } from './entry.ts';
import { type Host, hosts, type Machine, pathOf, windowsPackagesFolder } from './hosts.ts';
import { editJson } from './json.ts';
import type { Edited, Place } from './refused.ts';
import { editToml, printToml } from './toml.ts';

/** What main.ts knows of this process. */
export interface Self {
  readonly env: Machine['env'];
  readonly homeDir: string;
  readonly platform: NodeJS.Platform;
  readonly cwd: string;
  readonly execPath: string;
  /** The file that Node was started with. */
  readonly script: string;
}

/**
 * Writes the entry of this server into a host's file, or only prints it.
 *
 * @returns what to print
 * @throws Fault HOST_CONFIG_INVALID, HOST_CONFIG_UNWRITABLE
 */
export function install({ host: id, demo, print, variables }: Installation, self: Self, now: Date): string {
  const machine: Machine = { ...self, windowsPackages: windowsPackages(self) };
  const host = hosts[id];
  const entry = entryFor(host, programOf(self), machine, { demo, variables, cwd: self.cwd });
  const place: Place = { file: host.file(machine), path: [host.servers, serverName({ demo })] };
  if (print) return snippet(host, place, entry);

  const sign = host.sign(machine);
  const isNew = !existsSync(sign);
  const file = readConfig(place.file);
  const edited =
    host.format === 'toml'
      ? editToml(file.text, place, entry)
      : editJson(file.text, place, entry, host.format === 'jsonc');
  if (edited.text === file.text)
    return `${place.file}: nothing to change; ${place.path[1]} is there already.\n`;
  const backup = replaceConfig(file, edited.text, now);
  return report(host, place, { edited, backup, ...(isNew && { sign }) });
}

/** The whole of a file that has nothing else in it. */
function snippet({ format }: Host, { path }: Place, entry: unknown): string {
  const [servers, name] = path;
  return format === 'toml'
    ? printToml(path, entry)
    : `${JSON.stringify({ [servers]: { [name]: entry } }, null, 2)}\n`;
}

interface Done {
  readonly edited: Edited;
  readonly backup: string | undefined;
  /** What was missing and shows that the host has never been started. */
  readonly sign?: string;
}

function report(host: Host, place: Place, { edited, backup, sign }: Done): string {
  const [before, after] = [edited.before, edited.after].map((entry) => printed(host, place, entry));
  const lines = [
    `${place.file}:`,
    '',
    ...difference(before ?? [], after ?? []),
    '',
    backup === undefined ? 'The file is new.' : `All else is as it was. The file before: ${backup}`,
    ...(sign
      ? [`${host.title} does not seem to be installed here: ${sign} was not there, and has been made.`]
      : []),
    host.next,
  ];
  return `${lines.join('\n')}\n`;
}

function printed(host: Host, { path }: Place, entry: unknown): readonly string[] {
  if (entry === undefined) return [];
  const shown = withoutSecrets(entry);
  if (host.format === 'toml') return printToml(path, shown).trimEnd().split('\n');
  return `${JSON.stringify(path[1])}: ${JSON.stringify(shown, null, 2)}`.split('\n');
}

/**
 * Variables that the entry's owner added, and the headers of a server at a URL, may be keys and passwords: a terminal keeps
 * what was printed.
 */
function withoutSecrets(entry: unknown): unknown {
  if (!isObject(entry)) return entry;
  const shown = Object.entries(entry).map(([key, value]) => [key, isObject(value) ? masked(value) : value]);
  return Object.fromEntries(shown);
}

function masked(values: object): object {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, isOurs(name) ? value : '…']),
  );
}

/** Homebrew's and the systems': links that stay when Node is upgraded, where its own folder has the version in its name. */
const lastingFolders = ['/opt/homebrew/bin', '/usr/local/bin', '/home/linuxbrew/.linuxbrew/bin', '/usr/bin'];

function programOf({ execPath, script, platform, env }: Self): Program {
  const { dirname, basename, join } = pathOf({ platform });
  const name = basename(execPath);
  const isThisNode = (folder: string) => real(join(folder, name)) === real(execPath);
  const folder = lastingFolders.find(isThisNode) ?? dirname(execPath);
  const first = foldersOnPath({ env, platform }).find((each) => existsSync(join(each, name)));
  const npx = join(folder, 'npx');
  return {
    script: real(script) ?? script,
    folder,
    node: join(folder, name),
    isFirstOnPath: first !== undefined && isThisNode(first),
    npx: existsSync(npx) ? npx : undefined,
  };
}

function real(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function windowsPackages(self: Self): readonly string[] {
  if (self.platform !== 'win32') return [];
  try {
    return readdirSync(windowsPackagesFolder(self));
  } catch {
    return [];
  }
}

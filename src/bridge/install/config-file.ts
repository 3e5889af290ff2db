import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

import { Fault } from '../../core/fault.ts';

/** A host's file as it was read; `text` is '' where there is none. */
export interface ConfigFile {
  readonly path: string;
  readonly text: string;
  readonly bytes: Buffer | undefined;
  /** Windows' editors put it in front; it stays. */
  readonly mark: '\uFEFF' | '';
}

/** @throws Fault HOST_CONFIG_INVALID for what is no text, HOST_CONFIG_UNWRITABLE for what cannot be read */
export function readConfig(path: string): ConfigFile {
  const bytes = contentOf(path);
  if (bytes === undefined) return { path, text: '', bytes, mark: '' };
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const mark = text.startsWith('\uFEFF') ? '\uFEFF' : '';
    return { path, text: text.slice(mark.length), bytes, mark };
  } catch (cause) {
    throw new Fault(`${path}: it is not UTF-8; nothing was changed`, { code: 'HOST_CONFIG_INVALID', cause });
  }
}

/**
 * Keeps a copy, then replaces the file as a whole: a host that reads meanwhile sees the old one or the new one.
 *
 * @returns path of the copy, or undefined where there was no file
 * @throws Fault HOST_CONFIG_UNWRITABLE
 */
export function replaceConfig(file: ConfigFile, text: string, now: Date): string | undefined {
  const { path, bytes, mark } = file;
  return orUnwritable(path, 'written', () => {
    mkdirSync(dirname(path), { recursive: true });
    const target = targetOf(path);
    // Whoever can write the folder could replace it all the same: that it is read-only was meant.
    const mode = bytes === undefined ? 0o600 : statSync(target).mode & 0o777;
    if ((mode & 0o222) === 0) throw new Error('it is read-only');
    const changedMeanwhile = bytes === undefined ? contentOf(path) : !contentOf(path)?.equals(bytes);
    if (changedMeanwhile) throw new Error('another program changed it meanwhile; try again');
    const backup = bytes === undefined ? undefined : copyBeside(path, target, now);
    replace(target, mark + text, mode);
    return backup;
  });
}

/** The file itself where the path is a link, as that of people who keep their settings in a repository. */
function targetOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const link = lstatSync(path, { throwIfNoEntry: false });
    return link?.isSymbolicLink() ? resolve(dirname(path), readlinkSync(path)) : path;
  }
}

/** Never over an older copy. */
function copyBeside(path: string, target: string, now: Date): string {
  const stamp = now.toISOString().replaceAll(':', '-');
  for (let nth = 1; ; nth += 1) {
    const copy = `${path}.${stamp}${nth === 1 ? '' : `.${nth}`}.bak`;
    try {
      copyFileSync(target, copy, constants.COPYFILE_EXCL);
      return copy;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

function replace(target: string, text: string, mode: number): void {
  mkdirSync(dirname(target), { recursive: true });
  const fresh = join(dirname(target), `.${basename(target)}.${Date.now().toString(36)}.new`);
  try {
    const handle = openSync(fresh, 'wx', mode);
    try {
      writeFileSync(handle, text);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    chmodSync(fresh, mode); // openSync leaves out what the umask forbids
    renameSync(fresh, target);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}

function contentOf(path: string): Buffer | undefined {
  return orUnwritable(path, 'read', () => {
    try {
      return readFileSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  });
}

function orUnwritable<T>(path: string, verb: string, attempt: () => T): T {
  try {
    return attempt();
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    const { message } = cause as Error;
    throw new Fault(`${path} cannot be ${verb}: ${message}`, { code: 'HOST_CONFIG_UNWRITABLE', cause });
  }
}

import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import koffi, { type LibraryHandle } from 'koffi';

import { Fault } from '../../core/fault.ts';
import {
  absentCall,
  hostDriverCandidates,
  hostDriverRoot,
  libraryCandidates,
  type Nvml,
  prototypes,
} from './abi.ts';
import { kernelModuleText } from './kernel-module.ts';

type Call = (...args: unknown[]) => number;

/** What is held of the driver is given back also by who has been given up. */
const givingBack = new Set(['shutdown', 'eventSetFree', 'gpmSampleFree']);

/** Told of every driver call. */
export interface CallWatch {
  /** Throws when no more calls shall be made; it is not asked about giving back what is held. */
  before(): void;
  /** A call has returned: proof that the driver still answers. */
  after(): void;
}

export interface OpenLibrary {
  readonly nvml: Nvml;
  readonly path: string;
  /** After this no call may be made: a driver that was replaced is loaded anew by opening again. */
  unload(): void;
}

/**
 * Opens the driver's library. Each prototype is bound when it is first called: koffi gives back little of what a binding
 * takes, and a driver that is not loaded is opened again and again. A symbol that the library lacks is bound to a call that
 * returns FUNCTION_NOT_FOUND, so an old driver never fails to load.
 *
 * @param path the library to load; undefined searches where drivers are
 * @throws Fault DRIVER_NOT_FOUND naming every place that was looked in
 */
export function openLibrary(path: string | undefined, watch: CallWatch): OpenLibrary {
  const { library, loaded } = load(path === undefined ? candidates() : [path]);
  const calls = Object.entries(prototypes).map(([name, candidates]) => {
    let call: Call | undefined;
    const counted: Call = (...args) => {
      if (!givingBack.has(name)) watch.before();
      call ??= bind(library, candidates);
      const code = call(...args);
      watch.after();
      return code;
    };
    return [name, counted] as const;
  });
  const nvml = Object.fromEntries(calls) as unknown as Nvml; // the one cast: prototypes has every member of Nvml
  return { nvml, path: loaded, unload: () => library.unload() };
}

/** The chart's hostDriver mode mounts the node's driver there, and the GPU operator has its own there; others are not told of those paths. */
function candidates(): readonly string[] {
  return existsSync(hostDriverRoot) ? [...libraryCandidates, ...hostDriverCandidates] : libraryCandidates;
}

function load(paths: readonly string[]): { library: LibraryHandle; loaded: string } {
  const failures: { path: string; error: unknown }[] = [];
  for (const path of paths) {
    try {
      return { library: koffi.load(path), loaded: path };
    } catch (error) {
      failures.push({ path, error });
    }
  }
  // Of a file that is there the loader says what is wrong with it; of the others, that they are not there.
  const { path, error } = failures.find((each) => existsSync(each.path)) ?? failures[0] ?? {};
  const reason = error instanceof Error ? error.message : String(error);
  const folders = paths.flatMap((other) => (other === path || !other.includes('/') ? [] : [dirname(other)]));
  const tried = folders.length > 0 ? ` (also looked in ${folders.join(', ')})` : '';
  const module = kernelModuleText();
  throw new Fault(`${path}: ${reason}${tried}${module && `; ${module}`}`, {
    code: 'DRIVER_NOT_FOUND',
    cause: error,
  });
}

function bind(library: LibraryHandle, candidates: readonly string[]): Call {
  for (const prototype of candidates) {
    try {
      return library.func(prototype) as Call;
    } catch {
      // koffi says "Cannot find function": the next name, or none
    }
  }
  return absentCall;
}

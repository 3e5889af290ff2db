import { type Command, CommanderError, InvalidArgumentError, Option } from 'commander';

import { Fault } from './fault.ts';
import { didYouMean, nearest } from './similar.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the command line asks for: to run, or only to print (help, version). */
export type Parsed<Values> =
  | {
      readonly values: Values;
      readonly fromFlag: (name: keyof Values) => boolean;
      /** As it was given: `--token-file`, or `K8S_GPU_MCP_TOKEN_FILE`. For messages. */
      readonly givenAs: (name: keyof Values) => string;
      readonly args: readonly string[];
      /** What was given, by flag or variable, as variables for another start of the same program. */
      readonly variables: Environment;
    }
  | { readonly print: string };

/** `--health-port` → `K8S_GPU_MCP_HEALTH_PORT`. */
export function environmentName(flag: string): string {
  return `K8S_GPU_MCP_${flag.replace(/^--/, '').replaceAll('-', '_').toUpperCase()}`;
}

/**
 * Claude Desktop sets a variable of a bundle's manifest to the text `${user_config.context}` itself where its user left
 * that field empty: such a variable is not set.
 */
export function withoutUnfilled(environment: Environment): Environment {
  const unfilled = /^\$\{user_config\.\w+\}$/;
  return Object.fromEntries(Object.entries(environment).filter(([, value = '']) => !unfilled.test(value)));
}

/**
 * Reads flags, and the environment for those not given: a flag beats the environment, an empty variable or one that the
 * host left unfilled counts as unset.
 *
 * @throws Fault BAD_FLAG, one sentence that names the flag or variable and what is allowed
 */
export function parseCommandLine<Values>(
  command: Command,
  argv: readonly string[],
  environment: Environment,
): Parsed<Values> {
  let printed = '';
  for (const each of [command, ...command.commands])
    each.exitOverride().configureOutput({ writeOut: (text) => (printed += text), writeErr: () => undefined });
  const written = asWritten(command);
  try {
    command.parse([...argv], { from: 'user' });
    fillFromEnvironment(command, withoutUnfilled(environment));
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return { print: printed };
    if (error instanceof CommanderError) throw badFlag(refusal(error, command), error);
    throw error;
  }
  return {
    values: command.opts() as Values,
    fromFlag: (name) => command.getOptionValueSource(String(name)) === 'cli',
    givenAs: (name) => {
      const long = command.options.find((each) => each.attributeName() === name)?.long ?? String(name);
      return command.getOptionValueSource(String(name)) === 'env' ? environmentName(long) : long;
    },
    args: command.args,
    variables: variablesOf(command, written, environment),
  };
}

/** Filled while the command line is parsed: the words of each flag, before they become numbers and URLs. */
function asWritten(command: Command): ReadonlyMap<string, readonly string[]> {
  const written = new Map<string, string[]>();
  for (const option of command.options)
    command.on(`option:${option.name()}`, (word: unknown) => {
      const words = lists.has(option) ? (written.get(option.name()) ?? []) : [];
      written.set(option.name(), [...words, typeof word === 'string' ? word : 'true']);
    });
  return written;
}

function variablesOf(
  command: Command,
  written: ReadonlyMap<string, readonly string[]>,
  environment: Environment,
): Environment {
  const all = command.options.map((option) => {
    const variable = environmentName(option.long ?? '');
    const source = command.getOptionValueSource(option.attributeName());
    return [
      variable,
      source === 'env' ? environment[variable] : written.get(option.name())?.join(','),
    ] as const;
  });
  return Object.fromEntries(all.filter(([, value]) => value !== undefined));
}

/** What commander found wrong, with what would be right. */
function refusal({ code, message }: CommanderError, program: Command): string {
  const used = program.commands.find(({ args }) => args.length > 0) ?? program;
  const flags = [...new Set([...longFlags(used), ...longFlags(program), '--help'])];
  const [, quoted = ''] = /'([^']*)'/.exec(message) ?? [];
  if (code === 'commander.unknownOption') return unknownFlag(quoted, flags, program);
  if (code === 'commander.excessArguments') {
    const excess = used.args[used.registeredArguments.length] ?? '';
    return `unexpected argument '${excess}'${didYouMean(excess, flags) || `; the flags are ${flags.join(', ')}`}`;
  }
  if (code === 'commander.optionMissingArgument') return `${quoted} is given without its value`;
  if (code === 'commander.missingArgument') return missingArgument(quoted, program);
  return noSuchChoice(message) ?? message.replace(/^error: /, '');
}

function noSuchChoice(message: string): string | undefined {
  const pattern =
    /^error: command-argument value '(.*)' is invalid for argument '(\w+)'\. Allowed choices are (.*)\.$/;
  const [, value = '', name, choices] = pattern.exec(message) ?? [];
  return (
    choices && `there is no ${name} ${value}${didYouMean(value, choices.split(', '))}; there are ${choices}`
  );
}

function longFlags({ options }: Command): string[] {
  return options.flatMap(({ long }) => long ?? []);
}

function unknownFlag(flag: string, known: readonly string[], program: Command): string {
  const owner = program.commands.find((each) => longFlags(each).includes(flag));
  if (owner) return `${flag} is a flag of the command ${owner.name()}: ${owner.name()} ${flag}`;
  return `there is no flag ${flag}${didYouMean(flag, known) || `; there are ${known.join(', ')}`}`;
}

function missingArgument(name: string, { commands }: Command): string {
  const missing = commands.flatMap((each) => each.registeredArguments).find((each) => each.name() === name);
  const allowed = missing?.argChoices?.join(' or ') ?? missing?.description;
  return `the ${name} is missing${allowed ? `: ${allowed}` : ''}`;
}

function fillFromEnvironment(command: Command, environment: Environment): void {
  refuseMistypedNames(longFlags(command).map(environmentName), environment);
  for (const option of command.options) {
    const name = option.attributeName();
    const variable = option.long && environmentName(option.long);
    const given = variable && ownValue(environment[variable]);
    if (!given || option.long === '--version' || command.getOptionValueSource(name) === 'cli') continue;
    try {
      command.setOptionValueWithSource(name, parsedValue(option, given), 'env');
    } catch (error) {
      throw badFlag(`${variable}='${given}' is invalid. ${(error as Error).message}`, error);
    }
  }
}

/** A mistyped name is as if it were not set: the wrong cluster would be asked, and nobody told. */
function refuseMistypedNames(known: readonly string[], environment: Environment): void {
  const prefix = environmentName('');
  const suffixes = known.map((name) => name.slice(prefix.length));
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(prefix) || known.includes(name) || !ownValue(value)) continue;
    const near = nearest(name.slice(prefix.length), suffixes);
    if (near !== undefined) throw badFlag(`${name} means nothing here (did you mean ${prefix}${near}?)`);
  }
}

/**
 * Kubernetes gives pods `K8S_GPU_MCP_PORT=tcp://10.0.0.1:8080` where a Service of that name is in the namespace. That is
 * where the Service is, and no flag of ours.
 */
function ownValue(value: string | undefined): string | undefined {
  return value !== undefined && /^(tcp|udp|sctp):\/\//.test(value) ? undefined : value;
}

function parsedValue(option: Option, given: string): unknown {
  if (option.isBoolean()) return onOrOff(given);
  if (!option.parseArg) return given;
  if (!option.variadic && !lists.has(option)) return option.parseArg(given, undefined);
  return given.split(',').reduce<unknown>((all, one) => option.parseArg?.(one.trim(), all), undefined);
}

/** One sentence for stderr; exit code 2 is the caller's. */
export function badFlag(message: string, cause?: unknown): Fault {
  return new Fault(message.replace(/\s*\n\s*/g, ' ').replace(/\.$/, ''), { code: 'BAD_FLAG', cause });
}

export function option(flags: string, description: string): Option {
  return new Option(flags, description);
}

const lists = new WeakSet<Option>();

/** One value each time the flag is given; in the environment all of them, separated by commas. */
export function listOption<T>(flags: string, description: string, parse: (one: string) => T): Option {
  const list = option(flags, description).argParser((one: string, before: readonly T[] = []) => [
    ...before,
    parse(one),
  ]);
  lists.add(list);
  return list;
}

export function integerFrom(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Allowed is a whole number from ${min} to ${max}.`);
  };
}

export const portNumber = integerFrom(0, 65_535);

/** `500ms`, `10s`, `2m` → milliseconds; a bare number counts seconds. */
export function durationFrom(
  minMs: number,
  maxMs: number,
  allowed = `${minMs}ms to ${maxMs / 1000}s`,
): (text: string) => number {
  return (text) => {
    const [, number = '', unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text) ?? [];
    const ms = Number(number) * { ms: 1, s: 1000, m: 60_000 }[unit as 'ms' | 's' | 'm'];
    if (number !== '' && ms >= minMs && ms <= maxMs) return ms;
    throw new InvalidArgumentError(`Allowed is ${allowed}, written as 500ms, 10s or 2m.`);
  };
}

function onOrOff(text: string): boolean {
  if (['1', 'true', 'yes', 'on'].includes(text.toLowerCase())) return true;
  if (['0', 'false', 'no', 'off'].includes(text.toLowerCase())) return false;
  throw new InvalidArgumentError('Allowed is true or false.');
}

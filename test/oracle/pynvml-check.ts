import { type Check, drift, type Form, json, jsonOf } from './check.ts';

/** @param told a Python expression that gives our value in our unit; what it raises is an absence */
export function one(told: string, moves?: number): Check {
  return {
    of: (reading) => reading,
    from: [`pynvml ${told}`],
    form: json,
    ...(moves !== undefined && { moves }),
  };
}

export function part(name: string, told: string, moves?: number): Check {
  return { ...one(told, moves), part: name, of: (reading) => (reading as Record<string, unknown>)[name] };
}

/** The member of this name of each in a list. */
export function each(name: string, told: string, moves?: number): Check {
  return {
    ...one(told, moves),
    part: name,
    of: (reading) => (reading as Record<string, unknown>[]).map((member) => member[name]),
  };
}

/** The same, where pynvml tells texts that we word otherwise. */
export function inForm(form: Form, check: Check): Check {
  return { ...check, form: jsonOf(form) };
}

export const mode = (name: string): Check[] => [
  part('current', `${name}(gpu)[0] == 1`),
  part('pending', `${name}(gpu)[1] == 1`),
];
export const counter = (id: number): Check[] => [one(`field(gpu, ${id})`, drift.none)];

/**
 * Why there is no value. An answer, not an error: an H200 has no fan to report.
 * `nvmlReturn999` stands for a code that nvml.h gives no meaning for this call.
 */
export type Missing =
  | 'notSupported'
  | 'notSupportedByDriver'
  | 'noPermission'
  | 'notReady'
  | 'gpuLost'
  | 'resetRequired'
  | 'driverUnavailable'
  /** The driver has nothing to tell now: an idle process has no samples. */
  | 'noData'
  | `nvmlReturn${number}`;

/** What the driver said: a value, or why there is none. Never 0 or '' in place of a missing value. */
export type Reading<T> = { readonly value: T } | { readonly missing: Missing };

export function map<A, B>(reading: Reading<A>, convert: (value: A) => B): Reading<B> {
  return 'missing' in reading ? reading : { value: convert(reading.value) };
}

/** A driver can answer that it does not know: that is no value. */
export function unlessUnknown<T>(reading: Reading<T>, isUnknown: (value: T) => boolean): Reading<T> {
  return 'value' in reading && isUnknown(reading.value) ? { missing: 'noData' } : reading;
}

/** The wire form: the value, or null. The reason travels beside it, from `reasons`. */
export function orNull<T>(reading: Reading<T>): T | null {
  return 'missing' in reading ? null : reading.value;
}

/** `{ fanPercent: { missing: 'notSupported' } }` → `{ fanPercent: 'notSupported' }`; present values are left out. */
export function reasons(readings: object): Record<string, Missing> {
  return Object.fromEntries(
    Object.entries(readings as Record<string, Reading<unknown>>).flatMap(([field, reading]) =>
      'missing' in reading ? [[field, reading.missing]] : [],
    ),
  );
}

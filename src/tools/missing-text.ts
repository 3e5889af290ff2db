/** `missing: utilization (notSupported)`; reasons that hold for many fields are said once. */
export function missingText(missing: Readonly<Record<string, string>>): string | null {
  const fields = new Map<string, string[]>();
  for (const [field, reason] of Object.entries(missing))
    fields.set(reason, [...(fields.get(reason) ?? []), field]);
  const parts = [...fields].map(([reason, names]) => `${names.join(' ')} (${reason})`);
  return parts.length > 0 ? `missing: ${parts.join(', ')}` : null;
}

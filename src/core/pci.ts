/** `0000:3b:00`: what a log line and a GPU's address have in common, whatever the length of the domain and the function. */
export function pciSlot(address: string): string {
  const [domain = '', bus = '', device = ''] = address.toLowerCase().split(/[:.]/);
  return `${domain.replace(/^0+(?=.{4})/, '')}:${bus}:${device}`;
}

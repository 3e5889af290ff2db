import { BlockList, isIP } from 'node:net';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy that kubectl would use for this server, by the rules of Go's net/http: HTTPS_PROXY or HTTP_PROXY by the
 * server's scheme, upper case first, unless NO_PROXY or loopback says otherwise; null if there is none.
 * The client library reads neither variable. Source of the rules: golang.org/x/net/http/httpproxy.
 */
export function proxyFor(server: string, env: Environment): string | null {
  if (!URL.canParse(server)) return null;
  const { protocol, hostname, port } = new URL(server);
  const secure = protocol === 'https:';
  const proxy = secure ? either(env, 'HTTPS_PROXY') : either(env, 'HTTP_PROXY');
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (!proxy || isLoopback(host)) return null;
  const at = { host, port: port || (secure ? '443' : '80') };
  if (
    either(env, 'NO_PROXY')
      .split(',')
      .some((rule) => excepts(rule.trim().toLowerCase(), at))
  )
    return null;
  return /^(https?|socks\w*):\/\//i.test(proxy) ? proxy : `http://${proxy}`;
}

function either(env: Environment, name: string): string {
  return env[name] || env[name.toLowerCase()] || '';
}

interface Target {
  readonly host: string;
  readonly port: string;
}

/** One entry of NO_PROXY: `*`, `10.0.0.0/8`, `10.1.2.3`, `[::1]`, `example.com`, `.example.com`; most with `:port`. */
function excepts(rule: string, { host, port }: Target): boolean {
  if (rule === '*') return true;
  if (rule.includes('/')) return inNetwork(rule, host);
  const { name, onlyPort } = splitPort(rule);
  if (name === '' || (onlyPort !== undefined && onlyPort !== port)) return false;
  if (isIP(name)) return name === host;
  if (/^\*?\./.test(name)) return host.endsWith(name.replace('*', ''));
  return host === name || host.endsWith(`.${name}`);
}

function splitPort(rule: string): { name: string; onlyPort: string | undefined } {
  if (isIP(rule)) return { name: rule, onlyPort: undefined };
  const [, name = rule, onlyPort] = /^(.*?)(?::(\d+))?$/.exec(rule) ?? [];
  return { name: name.replace(/^\[|\]$/g, ''), onlyPort };
}

function inNetwork(rule: string, host: string): boolean {
  const [address = '', bits = ''] = rule.split('/');
  const [family, hostFamily] = [isIP(address), isIP(host)];
  if (family === 0 || family !== hostFamily || !/^\d+$/.test(bits)) return false;
  const prefix = Number(bits);
  if (prefix > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const network = new BlockList();
  network.addSubnet(address, prefix, type);
  return network.check(host, type);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || inNetwork('127.0.0.0/8', host) || host === '::1';
}

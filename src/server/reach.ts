import { badFlag } from '../core/command-line.ts';
import type { Flags } from './flags.ts';

const everyAddress = ['0.0.0.0', '::'];

/** Every flag that only makes sense where something listens. By flag only: `kubectl exec … /agent` inherits the variables. */
const listening = ['healthPort', 'exposeAddr', 'tlsCertFile', 'tlsKeyFile'] as const;

/**
 * Where requests come from, and who is let in. Beyond loopback anyone on the pod network can ask: that takes a token, or
 * a flag that says what it does.
 *
 * @throws Fault BAD_FLAG
 */
export function checkReach(
  flags: Flags,
  listens: boolean,
  given: { byFlag: (name: keyof Flags) => boolean; as: (name: keyof Flags) => string },
): void {
  const idle = listening.find((name) => !listens && given.byFlag(name));
  if (idle !== undefined) throw badFlag(`${given.as(idle)} is only allowed with a --port above 0`);
  if (!listens) return;
  checkExposure(flags);
  checkPorts(flags);
  checkTls(flags);
  checkDoor(flags);
}

function checkExposure({ addr, exposeAddr }: Flags): void {
  if (exposeAddr === undefined) return;
  if (!isLoopback(addr))
    throw badFlag(
      `--addr ${addr} is reachable from outside the pod already: --expose-addr needs an --addr on loopback`,
    );
  if (everyAddress.includes(exposeAddr) || exposeAddr === addr)
    throw badFlag(
      `--expose-addr ${exposeAddr} is --addr ${addr} too, on the same port: name the pod's own address`,
    );
}

function checkPorts({ port, addr, exposeAddr, healthPort, healthAddr }: Flags): void {
  const mcp = exposeAddr === undefined ? [addr] : [addr, exposeAddr];
  const overlap = mcp.includes(healthAddr) || [...mcp, healthAddr].some((one) => everyAddress.includes(one));
  if (port === healthPort && overlap)
    throw badFlag(`--port and --health-port are both ${port}: each listener needs a port of its own`);
}

function checkTls({ addr, exposeAddr, tlsCertFile, tlsKeyFile }: Flags): void {
  if (tlsCertFile !== undefined && tlsKeyFile === undefined)
    throw badFlag('--tls-cert-file is only allowed with --tls-key-file');
  if (tlsKeyFile !== undefined && tlsCertFile === undefined)
    throw badFlag('--tls-key-file is only allowed with --tls-cert-file');
  if (tlsCertFile !== undefined && exposeAddr === undefined && isLoopback(addr))
    throw badFlag('--tls-cert-file is only allowed with --expose-addr, or an --addr beyond loopback');
}

function checkDoor({ addr, exposeAddr, tokenFile, insecureNoAuth, allowedHosts }: Flags): void {
  if (allowedHosts && !insecureNoAuth)
    throw badFlag('--allowed-hosts is only allowed with --insecure-no-auth');
  const guarded = tokenFile !== undefined || insecureNoAuth;
  if (guarded || (exposeAddr === undefined && isLoopback(addr))) return;
  const reachable = exposeAddr === undefined ? `--addr ${addr}` : `--expose-addr ${exposeAddr}`;
  throw badFlag(`${reachable} is reachable from outside the pod: set --token-file, or --insecure-no-auth`);
}

export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);
}

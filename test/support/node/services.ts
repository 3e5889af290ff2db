import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { cacheDirectory } from '../cache.ts';
import { apiServers, cached, ensure, executable, onPath } from '../cluster/programs.ts';
import { cachedPackage, debianPackages, librariesIn } from '../debian.ts';
import type { NodeCluster } from './cluster.ts';

const programs = { 'kube-proxy': apiServers['1.34'], 'kube-router': 'v2.2.1' } as const;
/** First the two whose programs the above call. */
const packages = ['iptables', 'ipset', 'libxtables12', 'libip4tc2', 'libip6tc2', 'libipset13', 'libmnl0'];

/** Why nodes cannot have what `startServices` starts, or undefined where they can. It needs what a node needs, and more. */
export function whyNoServicesHere(): string | undefined {
  const built = Object.entries(programs).every(([name, version]) => executable(cached(name, version)));
  if (!built && onPath('go') === undefined)
    return `a Service needs Go on PATH, once, to build kube-proxy and kube-router into ${cacheDirectory}`;
  const canFetch = onPath('apt-get') !== undefined && onPath('dpkg') !== undefined;
  if (!canFetch && packages.some((name) => cachedPackage(name) === undefined))
    return `a Service needs ${packages.join(', ')} in ${cacheDirectory}, or apt-get and dpkg to fetch them`;
  return whyNotKernel();
}

/**
 * Starts the real kube-proxy, by which a Service's address leads to its pods, on the nodes of clients, and on those of servers
 * kube-router, as k3s has it, which enforces NetworkPolicies. No node may have both: kube-router replaces whole tables, and
 * with them what kube-proxy has just written. All of it is in the nodes' network namespaces: this machine's own iptables stay
 * as they are. Resolves when each kube-proxy has written its rules.
 */
export async function startServices(
  cluster: NodeCluster,
  { clients, servers }: { clients: readonly string[]; servers: readonly string[] },
): Promise<void> {
  const environment = netfilterTools(join(cluster.folder, 'netfilter'));
  const start = async (program: keyof typeof programs, name: string, flags: readonly string[]) => {
    const path = await ensure(program, programs[program]);
    const always = [`--kubeconfig=${cluster.kubeconfig('admin')}`, `--hostname-override=${name}`];
    cluster.node(name).start(program, 'env', ...environment, path, ...always, ...flags);
  };
  for (const name of clients) await start('kube-proxy', name, proxyFlags);
  for (const name of servers) await start('kube-router', name, routerFlags);
  for (const name of clients) {
    const healthy = async () => (await fetch(`http://${cluster.node(name).address}:10256/healthz`)).ok;
    await cluster.waitFor(`kube-proxy on ${name}`, healthy);
  }
}

/** The conntrack table is the whole machine's: its size and its times stay as they are. */
const proxyFlags = [
  '--proxy-mode=iptables',
  ...['--conntrack-max-per-core=0', '--conntrack-min=0'],
  ...['--conntrack-tcp-timeout-established=0', '--conntrack-tcp-timeout-close-wait=0'],
];

/** Neither routes nor Services, which others see to. */
const routerFlags = [
  ...['--run-firewall=true', '--run-router=false', '--run-service-proxy=false'],
  ...['--service-cluster-ip-range=10.96.0.0/16', '--health-port=0'],
];

/** Makes the folder, with the names by which iptables and ipset are called; returns the environment that they need. */
function netfilterTools(folder: string): string[] {
  const [iptables = '', ipset = '', ...libraries] = debianPackages(...packages);
  mkdirSync(folder);
  symlinkSync(join(ipset, 'usr/sbin/ipset'), join(folder, 'ipset'));
  for (const family of ['iptables', 'ip6tables'])
    for (const name of [family, `${family}-save`, `${family}-restore`])
      symlinkSync(join(iptables, 'usr/sbin/xtables-legacy-multi'), join(folder, name));
  return [`PATH=${folder}${delimiter}${process.env['PATH']}`, ...libraryEnvironment(iptables, libraries)];
}

function libraryEnvironment(iptables: string, libraries: readonly string[]): string[] {
  const extensions = librariesIn([iptables])
    .split(':')
    .map((folder) => join(folder, 'xtables'));
  return [`LD_LIBRARY_PATH=${librariesIn(libraries)}`, `XTABLES_LIBDIR=${extensions.join(':')}`];
}

/** Asks for what the two write, in namespaces that end with the question. */
function whyNotKernel(): string | undefined {
  const [iptables = '', ipset = '', ...libraries] = debianPackages(...packages);
  const script = `set -e
    mount -t tmpfs run /run # the lock of iptables is there
    ${join(ipset, 'usr/sbin/ipset')} create test hash:ip
    iptables() { ${join(iptables, 'usr/sbin/xtables-legacy-multi')} iptables "$@"; }
    iptables -A FORWARD -m set --match-set test src -m physdev --physdev-is-bridged -j REJECT
    iptables -t nat -A OUTPUT -p tcp -m statistic --mode random --probability 0.5 -j DNAT --to 192.0.2.1:1`;
  const environment = libraryEnvironment(iptables, libraries);
  const inside = ['--net', '--mount', '--', 'env', ...environment, 'bash', '-c', script];
  const { status, stderr } = spawnSync('unshare', inside, { encoding: 'utf8' });
  return status === 0 ? undefined : `a Service needs iptables in the kernel: ${stderr.trim()}`;
}

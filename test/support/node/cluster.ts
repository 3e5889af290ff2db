import { execFile } from 'node:child_process';
import { basename, join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { type Administrator, administrator } from '../cluster/administrator.ts';
import { type ApiServer, startApiServer } from '../cluster/api-server.ts';
import { admin } from '../cluster/credentials.ts';
import { isLeftOver } from '../cluster/folder.ts';
import { inWorkshop, type Workshop } from '../cluster/workshop.ts';
import { makeCgroup, outermostCgroups, removeCgroup } from './cgroups.ts';
import { pauseImage, probeImage, writeImage } from './image.ts';
import { type Network, startNetwork } from './network.ts';
import { bootNode, type Node, type NodeSpec } from './node.ts';
import { ensureNodePrograms, type NodePrograms } from './programs.ts';
import { type Waiting, waiting } from './waiting.ts';

/**
 * A Kubernetes with real nodes: kubelets that start real pods, on this machine and without Docker. There is no DNS; `startServices`
 * adds that the address of a Service leads somewhere, and that a NetworkPolicy is enforced.
 */
export interface NodeCluster extends Administrator, Waiting {
  /** Such as `https://198.18.0.1:21234`. */
  readonly server: string;
  readonly caPath: string;
  /** For what the test itself wants to keep; removed at the end. */
  readonly folder: string;
  readonly programs: NodePrograms;
  token(user: string): string;
  /** Path of a kubeconfig for that user; its context names a namespace only where one is given. */
  kubeconfig(user: string, namespace?: string): string;
  /** A program, not a call: for what needs the real kubectl as another user. */
  readonly kubectlPath: string;
  node(name: string): Node;
  /** Runs a program in a container by `kubectl exec`; resolves to what it printed on stdout. */
  inPod(of: { namespace: string; pod: string; container?: string }, ...command: string[]): Promise<string>;
  /** As admin. Resolves to what it printed. @throws Error that ends with what it said */
  helm(...args: string[]): Promise<string>;
  /** Into every node, so that pods with `imagePullPolicy: Never` find it. */
  importImage(archive: string): Promise<void>;
  /** Resolves when pods can be made in it. Its labels may ask for a level of Pod Security. */
  addNamespace(name: string, labels?: Record<string, string>): Promise<void>;
  /** Pods, mounts, interfaces and cgroups go with it. Calling it twice is fine. */
  stop(): Promise<void>;
}

/**
 * Resolves when every node is Ready.
 * @param users besides `admin`, who is the only one with rights until roles are bound
 */
export async function startNodeCluster(options: {
  readonly nodes: readonly NodeSpec[];
  readonly users?: readonly string[];
}): Promise<NodeCluster> {
  const programs = await ensureNodePrograms();
  return inWorkshop((workshop) => bringUp(workshop, programs, options));
}

type Options = Parameters<typeof startNodeCluster>[0];

async function bringUp(workshop: Workshop, programs: NodePrograms, options: Options): Promise<NodeCluster> {
  const { nodes: specs, users = [] } = options;
  const { folder } = workshop;
  const network = await startNetwork(workshop);
  const kubelets = specs.map(({ name }) => ({ name: `system:node:${name}`, group: 'system:nodes' }));
  const starting = startApiServer(workshop, {
    programs,
    users: [...users.map((name) => ({ name })), ...kubelets],
    address: network.hostAddress,
    serviceAccounts: true,
  });
  const [{ api, credentials, url }, nodes] = await Promise.all([
    starting.then((server) => startControllers(workshop, programs, { server, specs })),
    bootNodes(specs, { workshop, programs, network, server: starting }),
  ]);
  await Promise.all(nodes.map((node) => node.startKubelet()));

  const asAdmin = administrator({ api, credentials, folder, server: url, kubectlPath: programs.kubectl });
  const { kubectl } = asAdmin;
  const wait = waiting(kubectl);
  await Promise.all(
    specs.map(({ name }) => workshop.until(`Ready node ${name}`, () => isNodeReady(api, name))),
  );
  const environment = helmEnvironment(folder, credentials.kubeconfig(admin, url));
  return {
    ...asAdmin,
    ...wait,
    ...{ server: url, caPath: credentials.caPath, folder, programs, kubectlPath: programs.kubectl },
    token: credentials.token,
    kubeconfig: (user, namespace) => credentials.kubeconfig(user, url, namespace),
    node: (name) => found(nodes, name),
    inPod({ namespace, pod, container }, ...command) {
      const where = container ? [`--container=${container}`] : [];
      return kubectl('exec', `--namespace=${namespace}`, pod, ...where, '--', ...command);
    },
    async helm(...args) {
      const { stdout } = await promisify(execFile)(programs.helm, args, {
        env: environment,
        maxBuffer: 64 << 20,
      });
      return stdout;
    },
    async importImage(archive) {
      await Promise.all(nodes.map((node) => node.importImage(archive)));
    },
    async addNamespace(name, labels = {}) {
      await api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
      await wait.waitFor(`service account in ${name}`, () =>
        kubectl('get', 'serviceaccount', 'default', '-n', name),
      );
    },
    async stop() {
      api.disconnect();
      await workshop.close();
    },
  };
}

async function bootNodes(
  specs: readonly NodeSpec[],
  of: { workshop: Workshop; programs: NodePrograms; network: Network; server: Promise<ApiServer> },
): Promise<Node[]> {
  const { workshop, programs, network, server } = of;
  const cgroup = `/${basename(workshop.folder)}`;
  for (const left of outermostCgroups().filter(isLeftOver)) removeCgroup(`/${left}`);
  workshop.afterwards(() => removeCgroup(cgroup));

  const names = [pauseImage, probeImage];
  const archive = await writeImage(workshop.folder, { names, program: programs.probe, args: ['pause'] });
  return Promise.all(
    specs.map(async (spec, index) => {
      makeCgroup(`${cgroup}/${spec.name}`);
      const node = await bootNode(spec, {
        ...{ workshop, programs, server },
        address: network.addressOf(index),
        podRange: network.podRangeOf(index),
        cgroup: `${cgroup}/${spec.name}`,
        plug: (pid) => network.plug(index, pid),
      });
      await node.importImage(archive);
      return node;
    }),
  );
}

/** What makes pods of DaemonSets and Deployments, and says where they run. The nodes are known before they are there. */
async function startControllers(
  workshop: Workshop,
  programs: NodePrograms,
  { server, specs }: { server: ApiServer; specs: readonly NodeSpec[] },
): Promise<ApiServer> {
  const { credentials, url, api } = server;
  const kubeconfig = `--kubeconfig=${credentials.kubeconfig(admin, url)}`;
  const always = [kubeconfig, '--leader-elect=false', '--secure-port=0'];
  workshop.run('kube-controller-manager', programs.controllerManager, [
    ...always,
    `--service-account-private-key-file=${credentials.serviceAccountKeyPath}`,
    `--root-ca-file=${credentials.caPath}`,
  ]);
  workshop.run('kube-scheduler', programs.scheduler, always);
  for (const { name, labels = {}, taints = [] } of specs)
    await api.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec: { taints } });
  return server;
}

async function isNodeReady(api: ApiServer['api'], name: string): Promise<boolean> {
  const { status } = (await api.get(`/api/v1/nodes/${name}`)) as {
    status: { conditions?: { type: string; status: string }[] };
  };
  return Boolean(status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'));
}

/** Its folders are ours, so that no plugin and no repository of the person who runs the tests takes part. */
function helmEnvironment(folder: string, kubeconfig: string): NodeJS.ProcessEnv {
  const own = Object.fromEntries(
    ['CACHE', 'CONFIG', 'DATA'].map((kind) => [`HELM_${kind}_HOME`, join(folder, 'helm')]),
  );
  return { ...process.env, ...own, KUBECONFIG: kubeconfig };
}

function found(nodes: readonly Node[], name: string): Node {
  const node = nodes.find((each) => each.name === name);
  if (!node)
    throw new Error(`no node ${name} in this cluster; it has ${nodes.map((each) => each.name).join(', ')}`);
  return node;
}

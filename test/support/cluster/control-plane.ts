import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import type { Api } from './api.ts';
import { startApiServer } from './api-server.ts';
import { admin, type Credentials } from './credentials.ts';
import { type ForwardsSeen, forwardsSeen } from './forwards-seen.ts';
import { definitions, kwokArgs, stages } from './kwok.ts';
import type { Programs } from './programs.ts';
import { inWorkshop, type Workshop } from './workshop.ts';

/** An API server and kwok, running in a folder of their own. */
export interface ControlPlane {
  readonly folder: string;
  readonly server: string;
  readonly credentials: Credentials;
  /** As the administrator. */
  readonly api: Api;
  readonly forwardsSeen: ForwardsSeen;
  startApiServer(): Promise<void>;
  stopApiServer(): Promise<void>;
  /** Ends every program and removes the folder; calling it twice is fine. */
  stop(): Promise<void>;
}

/** @throws Error with the end of the failing program's log; nothing stays behind then. */
export async function startControlPlane(programs: Programs, users: readonly string[]): Promise<ControlPlane> {
  return inWorkshop((workshop) => bringUp(workshop, programs, users));
}

async function bringUp(
  workshop: Workshop,
  programs: Programs,
  users: readonly string[],
): Promise<ControlPlane> {
  const { folder } = workshop;
  const named = users.map((name) => ({ name }));
  const server = await startApiServer(workshop, {
    programs,
    users: named,
    address: '127.0.0.1',
    serviceAccounts: false, // nobody here makes the `default` one that would be asked of each namespace
  });
  const { url, api, credentials } = server;
  for (const definition of definitions) await api.apply(definition);
  for (const resource of ['portforwards', 'execs'])
    await workshop.until(resource, async () =>
      Boolean(await api.get(`/apis/kwok.x-k8s.io/v1alpha1/${resource}`)),
    );

  const config = join(folder, 'kwok.yaml');
  writeFileSync(config, stages);
  const { servingCertPath: cert, servingKeyPath: key } = credentials;
  const [kubeconfig, port] = [credentials.kubeconfig(admin, url), await freePort()];
  workshop.run('kwok', programs.kwok, kwokArgs({ kubeconfig, config, port, cert, key }));
  return {
    folder,
    server: url,
    credentials,
    api,
    forwardsSeen: forwardsSeen(api, port),
    startApiServer: server.start,
    stopApiServer: server.stop,
    stop: workshop.close,
  };
}

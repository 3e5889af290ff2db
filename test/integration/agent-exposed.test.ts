import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:https';
import { createServer, connect as plainConnect, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { expect, type TestContext, test } from 'vitest';

import { type ListeningAgent, runAgent, startAgent, until, within } from '../support/agent.ts';
import { post, toolRequest } from '../support/agent-client.ts';
import { callsInFlight } from '../support/agent-raw.ts';
import { freePort } from '../support/free-port.ts';
import { certificateFor, type MountedSecret, mountedSecret, type Pair } from '../support/tls-files.ts';

/** Another address of this machine, as a pod's own is: loopback in the kernel's eyes, and exposed in ours. */
const exposed = '127.0.0.2';
const token = 'correct-horse-battery';
const call = toolRequest('get_gpu_health');
const bearer = { authorization: `Bearer ${token}` };

function files(pair: Pair): Record<string, string> {
  return { 'tls.crt': pair.cert, 'tls.key': pair.private };
}

function tlsArgs(secret: MountedSecret): string[] {
  return ['--tls-cert-file', secret.file('tls.crt'), '--tls-key-file', secret.file('tls.key')];
}

async function exposedAgent(context: TestContext, more: readonly string[] = []) {
  const tokens = mountedSecret(context, { token });
  const agent = await startAgent(context, {
    args: [
      ...['--nvml-mode', 'simulated', '--sample-interval', '50ms', '--expose-addr', exposed],
      ...['--token-file', tokens.file('token'), ...more],
    ],
  });
  return { agent, tokens };
}

/** What a new connection is shown, or one that was opened before and now begins its handshake. It is never refused or reset. */
async function certificateShown({ port }: ListeningAgent, opened?: Socket): Promise<string | undefined> {
  const where = opened ? { socket: opened } : { host: exposed, port };
  const socket = connect({ ...where, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const subject = socket.getPeerX509Certificate()?.subject;
  socket.destroy();
  return subject;
}

/** One call over TLS that is held open: its body is sent when it is told to. */
async function heldCall(port: number, headers: Record<string, string>) {
  const body = JSON.stringify(call.body);
  const outgoing = request({
    host: exposed,
    port,
    path: '/mcp',
    method: 'POST',
    rejectUnauthorized: false,
    headers: { ...call.headers, ...headers, 'content-length': body.length },
  });
  outgoing.flushHeaders();
  outgoing.write(body.slice(0, 10));
  const [socket] = (await once(outgoing, 'socket')) as [TLSSocket];
  await once(socket, 'secureConnect');
  return {
    socket,
    async finish(): Promise<number | undefined> {
      outgoing.end(body.slice(10));
      const [answer] = await once(outgoing, 'response');
      answer.resume();
      return answer.statusCode;
    },
  };
}

test.concurrent('who comes from the pod network needs the token, who comes by loopback does not', async (context) => {
  const { agent } = await exposedAgent(context);
  const outside = `http://${exposed}:${agent.port}/mcp`;

  context.expect((await post(agent.url, call)).status).toBe(200);
  context.expect((await post(outside, call)).status).toBe(401);
  context.expect((await post(outside, call, bearer)).status).toBe(200);
  context
    .expect(agent.log())
    .toContainEqual(
      expect.objectContaining({ level: 'warn', msg: expect.stringContaining('not encrypted') }),
    );
});

test.concurrent('a token that has changed is asked for, and a broken one leaves the one before', async (context) => {
  const { agent, tokens } = await exposedAgent(context);
  const outside = `http://${exposed}:${agent.port}/mcp`;
  const next = 'another-horse-battery';
  const status = async (given: string) =>
    (await post(outside, call, { authorization: `Bearer ${given}` })).status;

  tokens.swap({ token: `${next}\n` });
  await until('the new token is taken', async () => (await status(next)) === 200);
  context.expect(await status(token)).toBe(401);

  tokens.swap({ token: 'short' });
  await until('it is said', () => agent.log().some(({ level }) => level === 'error'));
  context.expect(await status(next)).toBe(200);
  const errors = agent.log().filter(({ level }) => level === 'error');
  context.expect(errors).toMatchObject([{ reason: expect.stringMatching(/holds 5 characters/) }]);
  context.expect(agent.stderr()).not.toContain('battery');
});

test.concurrent('with a certificate the exposed listener speaks TLS, and loopback does not', async (context) => {
  const secret = mountedSecret(context, files(await certificateFor('first')));
  const { agent } = await exposedAgent(context, tlsArgs(secret));

  const answered = await (await heldCall(agent.port, bearer)).finish();
  const refused = await (await heldCall(agent.port, {})).finish();

  context.expect([answered, refused]).toEqual([200, 401]);
  context.expect((await post(agent.url, call)).status).toBe(200);
  context.expect(await certificateShown(agent)).toBe('CN=first');
});

test.concurrent('a replaced certificate is shown to new connections, while a call in flight ends on the old one', async (context) => {
  const secret = mountedSecret(context, files(await certificateFor('first')));
  const { agent } = await exposedAgent(context, tlsArgs(secret));
  const held = await heldCall(agent.port, bearer);

  secret.swap(files(await certificateFor('second')));
  await until('the new one is shown', async () => (await certificateShown(agent)) === 'CN=second');

  context.expect(held.socket.getPeerX509Certificate()?.subject).toBe('CN=first');
  context.expect(await held.finish()).toBe(200);
});

test.concurrent('told to end, it answers over TLS what it was asked', async (context) => {
  const secret = mountedSecret(context, files(await certificateFor('first')));
  const { agent } = await exposedAgent(context, tlsArgs(secret));
  const held = await heldCall(agent.port, bearer);

  await until('it is being answered', async () => (await callsInFlight(agent)) === 1);

  agent.child.kill('SIGTERM');
  await until('it is not ready', async () => (await agent.health('/readyz')).status === 503);

  context.expect(await held.finish()).toBe(200);
  context.expect(await within(agent.ended, 'the agent to end')).toMatchObject({ code: 0 });
});

test.concurrent('no connection is refused or reset while certificates are replaced', async (context) => {
  const pairs = await Promise.all(['a', 'b', 'c', 'd'].map((name) => certificateFor(name)));
  const secret = mountedSecret(context, files(await certificateFor('first')));
  const { agent } = await exposedAgent(context, tlsArgs(secret));
  const opened = plainConnect(agent.port, exposed);
  await once(opened, 'connect');

  for (const pair of pairs) {
    secret.swap(files(pair));
    const { subject } = new X509Certificate(pair.cert);
    await until(`${subject} is shown`, async () => (await certificateShown(agent)) === subject);
  }

  context.expect(await certificateShown(agent, opened)).toBe('CN=first');
  context
    .expect(agent.log().filter(({ msg }) => msg.startsWith('the certificate has changed')))
    .toHaveLength(4);
});

test.concurrent('a broken certificate leaves the one before, and the log says why, once', async (context) => {
  const [first, second] = [await certificateFor('first'), await certificateFor('second')];
  const secret = mountedSecret(context, files(first));
  const { agent } = await exposedAgent(context, tlsArgs(secret));
  const errors = () => agent.log().filter(({ level }) => level === 'error');

  secret.swap({ 'tls.crt': second.cert, 'tls.key': first.private });
  await until('it is said', () => errors().length > 0);
  secret.swap({ 'tls.crt': 'no certificate', 'tls.key': first.private });
  await until('it is said again', () => errors().length > 1);
  const shown = await certificateShown(agent);
  secret.swap(files(second));
  await until('the good one is shown', async () => (await certificateShown(agent)) === 'CN=second');

  context.expect(shown).toBe('CN=first');
  context
    .expect(errors())
    .toMatchObject([
      { reason: expect.stringMatching(/tls-key-file .* is not the key of --tls-cert-file/) },
      { reason: expect.stringMatching(/--tls-cert-file .* holds no certificate/) },
    ]);
});

test.concurrent('an exposed port that somebody has is told, with TLS too: it is not shared', async (context) => {
  const secret = mountedSecret(context, { ...files(await certificateFor('first')), token });
  const { agent } = await exposedAgent(context, tlsArgs(secret));
  const port = await freePort();
  const stranger = createServer().listen(port, exposed);
  context.onTestFinished(() => void stranger.close());
  const args = ['--nvml-mode=simulated', '--token-file', secret.file('token'), ...tlsArgs(secret)];
  const ports = { agent: agent.port, stranger: port };

  for (const [, taken] of Object.entries(ports)) {
    const { code, stderr } = await runAgent(context, {
      // From another loopback address, so that it is the exposed one that is refused.
      args: [...args, '--addr=127.0.0.3', '--expose-addr', exposed, '--port', String(taken)],
    });
    context.expect(code).toBe(2);
    context.expect(stderr).toMatch(new RegExp(`^agent: cannot listen on ${exposed}:${taken}: `, 'm'));
  }
});

test.concurrent('a key that is not the certificate’s is refused at the start', async (context) => {
  const [first, second] = [await certificateFor('first'), await certificateFor('second')];
  const secret = mountedSecret(context, { 'tls.crt': first.cert, 'tls.key': second.private, token });

  const { code, stderr } = await runAgent(context, {
    args: [
      ...['--nvml-mode=simulated', '--port', String(await freePort()), '--expose-addr', exposed],
      ...['--token-file', secret.file('token'), ...tlsArgs(secret)],
    ],
  });

  context.expect(code).toBe(2);
  context.expect(stderr).toMatch(/--tls-key-file .* is not the key of --tls-cert-file .*\n$/);
});

import { expect, test } from 'vitest';

import { parseConfig as parseBridge } from '../../src/bridge/config.ts';
import { parseConfig as parseAgent } from '../../src/server/config.ts';

const programs = [
  ['bridge', parseBridge],
  ['agent', parseAgent],
] as const;

// K8S_GPU_MCP_CONTXT was passed over once, and the wrong cluster answered.
test.for([
  ['CONTXT', 'CONTEXT', parseBridge],
  ['NAMESPCE', 'NAMESPACE', parseBridge],
  ['NODES', 'NODE', parseBridge],
  ['LOGLEVEL', 'LOG_LEVEL', parseBridge],
  ['TOKENFILE', 'TOKEN_FILE', parseAgent],
  ['SENARIO', 'SCENARIO', parseAgent],
] as const)('a mistyped name is no silence: %s is meant as %s', ([name, meant, parse]) => {
  expect(() => parse([], { [`K8S_GPU_MCP_${name}`]: 'x' })).toThrow(
    expect.objectContaining({
      code: 'BAD_FLAG',
      message: `K8S_GPU_MCP_${name} means nothing here (did you mean K8S_GPU_MCP_${meant}?)`,
    }),
  );
});

test.for(programs)(
  'the %s: what Kubernetes sets for a Service named k8s-gpu-mcp is no mistyped name',
  ([, parse]) => {
    const ofService = {
      K8S_GPU_MCP_SERVICE_HOST: '10.0.0.1',
      K8S_GPU_MCP_SERVICE_PORT: '8080',
      K8S_GPU_MCP_SERVICE_PORT_MCP: '8080',
      K8S_GPU_MCP_PORT: 'tcp://10.0.0.1:8080',
      K8S_GPU_MCP_PORT_8080_TCP: 'tcp://10.0.0.1:8080',
      K8S_GPU_MCP_PORT_8080_TCP_ADDR: '10.0.0.1',
      K8S_GPU_MCP_PORT_8080_TCP_PORT: '8080',
      K8S_GPU_MCP_PORT_8080_TCP_PROTO: 'tcp',
      K8S_GPU_MCP_VERSION: '1.2.3',
    };

    expect(parse([], ofService)).toHaveProperty('config');
  },
);

test('each program knows the variables of the other, or does not mind them', () => {
  const ofAgent = ['PORT', 'ADDR', 'HEALTH_PORT', 'HEALTH_ADDR', 'NVML_LIBRARY', 'SAMPLE_INTERVAL', 'IDLE'];
  const ofBridge = ['CONTEXT', 'NAMESPACE', 'SELECTOR', 'NODE', 'TRANSPORT', 'STRUCTURED'];
  const set = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [`K8S_GPU_MCP_${name}`, '1']));

  expect(parseBridge([], set(ofAgent))).toHaveProperty('config');
  expect(parseAgent([], set(ofBridge))).toHaveProperty('config');
});

#!/usr/bin/env node
// The first lines that run, on whatever Node a host has found: Claude Desktop takes the first of ~/.nvm, however old. So
// this is written in what Node 10 understands, and says which Node is needed where the program itself would not parse.
var version = process.versions.node.split('.').map(Number);
if (version[0] * 1e6 + version[1] * 1e3 + version[2] >= 20018001) {
  void import('./main.js');
} else {
  console.error(
    'k8s-gpu-mcp needs Node 20.18.1 or newer; this is Node ' +
      process.versions.node +
      ' at ' +
      process.execPath +
      '. Give the MCP server entry the full path of a newer node or npx as its command.',
  );
  process.exit(1);
}

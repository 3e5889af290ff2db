// Run by Bun before runc creates a container: adds the driver to its config.json, where the container asks for GPUs.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { type Driver, type RuntimeSpec, withDriver } from './nvidia-spec.ts';

const [settings = '', bundle = '.'] = process.argv.slice(2);
const driver: Driver = JSON.parse(readFileSync(settings, 'utf8'));
const path = join(bundle, 'config.json');
const spec: RuntimeSpec = JSON.parse(readFileSync(path, 'utf8'));
writeFileSync(path, JSON.stringify(withDriver(spec, driver)));

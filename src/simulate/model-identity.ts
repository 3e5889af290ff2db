import type { IdentityReadings } from '../core/identity-readings.ts';
import type { Reading } from '../core/reading.ts';
import type { Board } from './boards.ts';
import type { GpuModel } from './models.ts';
import { hash } from './noise.ts';

const FIRST_BUS = 0x0a;
const BUSES_APART = 7;
const notSupported = { missing: 'notSupported' } as const;

/** Which GPU of which node: what is random about it follows from the seed. */
export interface Place {
  readonly seed: string;
  readonly index: number;
  /** Of the node. */
  readonly gpus: number;
}

export function identity(kind: GpuModel & Board, place: Place, driver: string): IdentityReadings {
  const { seed, index } = place;
  const text = (value: string): Reading<string> => ({ value });
  return {
    name: text(kind.productName),
    uuid: text(uuid(seed)),
    serial: text(`16${digits(`serial a ${seed}`, 6)}${digits(`serial b ${seed}`, 5)}`),
    pciAddress: text(pciAddress(kind, index)),
    minorNumber: { value: index },
    brand: text(kind.brand),
    architecture: text(kind.architecture),
    computeCapability: text(kind.computeCapability),
    boardPartNumber: text(kind.boardPartNumber),
    vbiosVersion: text(kind.vbiosVersion),
    inforomImageVersion: text(kind.inforomImageVersion),
    inforomOemVersion: text('2.1'),
    inforomEccVersion: text(kind.inforomEccVersion),
    inforomPowerVersion: notSupported,
    inforomValid: { value: true },
    gspFirmwareVersion: text(driver),
    ...whereabouts(kind, place),
  };
}

function whereabouts({ hasModuleId, hasPlatform, coherentMemory }: Board, { seed, index, gpus }: Place) {
  const socket = index < gpus / 2 ? 0 : 1;
  const platform = {
    ibGuid: '0'.repeat(32),
    chassisSerialNumber: `18${digits(`chassis ${seed.replace(/\d+$/, '')}`, 9)}`,
    slotNumber: 1,
    trayIndex: 0,
    hostId: 1,
    peerType: 'switch' as const,
    moduleId: index + 1,
  };
  return {
    moduleId: hasModuleId ? { value: index + 1 } : notSupported,
    platform: hasPlatform ? { value: platform } : notSupported,
    numaNode: coherentMemory ? { value: 2 + 8 * index } : notSupported,
    numaAffinity: { value: [socket] },
    cpuAffinity: { value: socket === 0 ? '0-47,96-143' : '48-95,144-191' },
  };
}

function uuid(seed: string): string {
  const words = [0, 1, 2, 3].map((word) => hex(hash(`uuid ${word} ${seed}`), 8));
  const [, a = '', b = '', c = '', d = '', e = ''] =
    /^(.{8})(.{4})(.{4})(.{4})(.{12})$/.exec(words.join('')) ?? [];
  return `GPU-${a}-${b}-${c}-${d}-${e}`;
}

function pciAddress({ pciDomains }: GpuModel, index: number): string {
  const domain = pciDomains[index % pciDomains.length] ?? 0;
  const bus = FIRST_BUS + BUSES_APART * Math.floor(index / pciDomains.length);
  return `${hex(domain, 4)}:${hex(bus, 2)}:00.0`;
}

function digits(seed: string, length: number): string {
  return String(hash(seed) % 10 ** length).padStart(length, '0');
}

function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, '0');
}

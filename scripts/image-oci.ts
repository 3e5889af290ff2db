import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

import type { Architecture } from './image-base.ts';
import { type Entry, tar, withFolders } from './image-tar.ts';

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** What an image of one architecture is made of. */
export interface Parts {
  readonly architecture: Architecture;
  /** Lowest first: what changes least. */
  readonly layers: readonly { readonly createdBy: string; readonly entries: readonly Entry[] }[];
}

/** What all architectures have in common. */
export interface Facts {
  /** As it is pulled: `registry/name:tag`. */
  readonly name: string;
  /** Who the agent runs as unless told: numbers, so that a kubelet sees that it is not root. */
  readonly user: `${number}:${number}`;
  readonly labels: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly created: string;
}

const oci = (kind: string) => `application/vnd.oci.image.${kind}`;

/**
 * An OCI image layout, as an archive: one name for an index of one image per architecture. Same parts, same bytes.
 *
 * @returns the archive, its digest as a registry would tell it, and how much each architecture has to pull
 */
export function imageArchive(images: readonly Parts[], facts: Facts) {
  const blobs = new Map<string, Uint8Array>();
  const add = (mediaType: string, content: Uint8Array): Descriptor => {
    const digest = sha256(content);
    blobs.set(digest, content);
    return { mediaType, digest, size: content.length };
  };
  const built = images.map((parts) => ({ parts, ...addImage(parts, facts, add) }));
  const manifests = built.map(({ parts, manifest }) => ({
    ...manifest,
    platform: platform(parts.architecture),
  }));
  const mediaType = oci('index.v1+json');
  const index = add(mediaType, json({ schemaVersion: 2, mediaType, manifests }));
  return {
    archive: layout(blobs, { ...index, annotations: names(facts.name) }),
    digest: index.digest,
    pulledBytes: built.map(({ parts, pulledBytes }) => ({ architecture: parts.architecture, pulledBytes })),
  };
}

function addImage(
  { architecture, layers }: Parts,
  { labels, created, user }: Facts,
  add: (mediaType: string, content: Uint8Array) => Descriptor,
) {
  const packed = layers.map(({ entries, createdBy }) => {
    const archive = tar(entries);
    const descriptor = add(oci('layer.v1.tar+gzip'), gzipSync(archive, { level: 9 }));
    return { descriptor, diffId: sha256(archive), createdBy };
  });
  const config = {
    created,
    ...platform(architecture),
    config: { User: user, Entrypoint: ['/agent'], WorkingDir: '/', Labels: labels },
    rootfs: { type: 'layers', diff_ids: packed.map(({ diffId }) => diffId) },
    history: packed.map(({ createdBy }) => ({ created, created_by: createdBy })),
  };
  const mediaType = oci('manifest.v1+json');
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: add(oci('config.v1+json'), json(config)),
    layers: packed.map(({ descriptor }) => descriptor),
  };
  const pulledBytes = manifest.layers.reduce((sum, { size }) => sum + size, manifest.config.size);
  return { manifest: add(mediaType, json(manifest)), pulledBytes };
}

function layout(blobs: ReadonlyMap<string, Uint8Array>, index: Descriptor & { annotations: object }) {
  const files = {
    'oci-layout': json({ imageLayoutVersion: '1.0.0' }),
    'index.json': json({ schemaVersion: 2, mediaType: oci('index.v1+json'), manifests: [index] }),
  };
  return tar(
    withFolders([
      ...Object.entries(files).map(([path, file]) => ({ path, file })),
      ...[...blobs].map(([digest, file]) => ({ path: `blobs/${digest.replace(':', '/')}`, file })),
    ]),
  );
}

/** containerd imports by its own annotation, with the whole name; others by OCI's, with the tag. */
function names(name: string): Record<string, string> {
  return {
    'io.containerd.image.name': name,
    'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1),
  };
}

function platform(architecture: Architecture) {
  return { os: 'linux', architecture, ...(architecture === 'arm64' && { variant: 'v8' }) };
}

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

function sha256(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      {
        test: {
          name: 'integration',
          include: ['test/{integration,contract}/**/*.test.ts'],
          globalSetup: 'test/support/build.ts',
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'hosts',
          include: ['test/hosts/**/*.test.ts'],
          globalSetup: ['test/support/build.ts', 'test/support/npm-programs.ts'],
          testTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'cluster',
          include: ['test/cluster/**/*.test.ts'],
          globalSetup: 'test/support/build.ts',
          // The first run builds a Kubernetes; later ones find it in the cache.
          hookTimeout: 1_800_000,
          testTimeout: 120_000, // longer than any wait inside a test, so that it is the wait that tells what was missing
          fileParallelism: false,
        },
      },
    ],
  },
});

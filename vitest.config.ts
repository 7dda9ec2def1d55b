import { defineConfig } from 'vitest/config'

/** `unit`: beside the sources, fast. `house`: whole-system tests (browser, kill -9, tarball). `long`: what takes longer. `vendors`: with the vendors' own packages, `npm run test:vendors`. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'studio/src/**/*.test.ts', 'scripts/**/*.test.ts'],
          testTimeout: 30_000,
          restoreMocks: true,
        },
      },
      {
        test: {
          name: 'house',
          include: ['test/**/*.test.ts'],
          testTimeout: 240_000,
          hookTimeout: 240_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'long',
          include: ['{src,test}/**/*.long.ts'],
          testTimeout: 1_800_000,
          hookTimeout: 240_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'vendors',
          include: ['test/vendors/**/*.vendors.ts'],
          testTimeout: 240_000,
          hookTimeout: 240_000,
          fileParallelism: false,
        },
      },
    ],
  },
})

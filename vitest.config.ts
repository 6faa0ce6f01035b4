import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Kernels use the machine's threads; two files at a time would measure and starve each other.
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 600_000,
    reporters: process.env.CI ? ["default"] : ["default"],
  },
});

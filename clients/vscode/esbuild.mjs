// Bundles the extension and the chat's page; with --tests also what `node --test` runs.
import { readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const common = { bundle: true, minify: true, legalComments: 'none', logLevel: 'warning', target: 'es2022' };
rmSync('dist', { recursive: true, force: true });
await build({
  ...common,
  entryPoints: ['src/extension.ts'],
  outfile: 'dist/extension.js',
  platform: 'node',
  format: 'cjs',
  external: ['vscode'],
});
await build({
  ...common,
  entryPoints: { chat: 'src/webview/main.ts', style: 'src/webview/style.css' },
  outdir: 'dist/webview',
  platform: 'browser',
  format: 'iife',
});
if (process.argv.includes('--tests')) {
  const tests = readdirSync('test').filter((name) => name.endsWith('.test.ts'));
  rmSync('build', { recursive: true, force: true });
  await build({
    ...common,
    minify: false,
    entryPoints: [...tests.map((name) => `test/${name}`), 'src/chat/page.ts'],
    entryNames: '[name]',
    outdir: 'build/test',
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    format: 'esm',
  });
}

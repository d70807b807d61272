import globals from 'globals';
import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

/** The walls between the folders of `src`: what each of them must not import. */
const wall = (folder, patterns) => ({
  files: [`src/${folder}/**/*.ts`],
  rules: { 'no-restricted-imports': ['error', { patterns }] },
});
const framework = { group: ['svelte', 'svelte/*', '**/ui/**'], message: 'Only src/ui knows the framework.' };
const media = { group: ['mediasoup-client', 'mediasoup-client/*', '**/media/**'], message: 'No media here.' };
const socket = { group: ['socket.io-client'], message: 'Only src/protocol opens sockets.' };

// eslint-disable-next-line no-restricted-syntax -- the tool asks for a default export
export default ts.config(
  { ignores: ['dist/', 'test-results/', 'src/protocol/generated/', 'e2e/seed-client/example.js'] },
  ...ts.configs.strictTypeChecked,
  ...svelte.configs.recommended,
  {
    languageOptions: {
      globals: globals.browser,
      parserOptions: {
        projectService: { allowDefaultProject: ['*.js'] },
        extraFileExtensions: ['.svelte'],
      },
    },
    rules: {
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'No default exports: a thing has one name.' },
      ],
      eqeqeq: 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    files: ['**/*.svelte'],
    languageOptions: {
      parserOptions: { parser: ts.parser, svelteConfig },
    },
  },
  // What these rules would find in a template, svelte-check finds; eslint does not see the types of snippets there.
  {
    files: ['**/*.svelte'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      // The compiler itself complains about ignores that it does not need.
      'svelte/no-unused-svelte-ignore': 'off',
    },
  },
  { files: ['**/*.js'], ...ts.configs.disableTypeChecked },
  wall('protocol', [framework, media, { group: ['**/state/**', '**/session/**'] }]),
  wall('media', [framework, socket, { group: ['**/state/**', '**/session/**'] }]),
  wall('state', [framework, media, socket, { group: ['**/session/**'] }]),
  wall('session', [framework, socket]),
);

/** The start of the page: styles, the one component that holds all others, and the hook for tests. */

import { mount } from 'svelte';

import './ui/styles/tokens.css';
import './ui/styles/base.css';
import './ui/styles/forms.css';
import App from './ui/App.svelte';

const target = document.getElementById('app');
if (target === null) throw new Error('index.html has the element #app');
mount(App, { target });

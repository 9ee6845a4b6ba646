// The entry of the page.

import { render } from 'preact';
import { startRouter } from './router.ts';
import { resumeSession } from './session.ts';
import { App } from './ui/app.tsx';

startRouter();
const root = document.getElementById('app');
if (root) render(<App />, root);
void resumeSession();

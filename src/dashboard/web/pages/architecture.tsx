import { t } from '../text.ts';

export const ArchitecturePage = () => <h1 class="page-title">{t('architecture')}</h1>;

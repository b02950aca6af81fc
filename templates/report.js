'use strict';
// Filters, searches and copies. Without it the page shows everything.
(() => {
  const $ = (id) => document.getElementById(id);
  const cards = [...document.querySelectorAll('#cards > .card')];
  const list = $('cards');
  const folds = [...document.querySelectorAll('#cards details')];
  const severities = [...document.querySelectorAll('[name=severity]')];
  const tools = $('tools');
  let texts; // what is searched, read once

  const wanted = () => ({
    q: $('search').value.trim().toLowerCase(),
    severity: severities.filter((box) => box.checked).map((box) => box.value),
    area: $('area').value,
    state: $('state').value,
  });

  const show = () => {
    const { q, severity, area, state } = wanted();
    const words = q.split(/\s+/).filter(Boolean);
    if (words.length) texts ??= cards.map((card) => card.textContent.toLowerCase());
    const fitting = cards.filter((card, at) => severity.includes(card.dataset.severity)
      && (!area || card.dataset.area === area)
      && (!state || card.dataset.state === state)
      && words.every((word) => texts[at].includes(word)));
    // Taken out, not hidden: Chromium takes many seconds to hide a thousand items of a list one by one.
    if (fitting.length !== list.childElementCount || fitting.some((card) => !card.isConnected)) list.replaceChildren(...fitting);
    const [shown, all] = [fitting, cards].map((some) => some.reduce((sum, card) => sum + Number(card.dataset.findings), 0));
    $('shown').textContent = shown === all ? `${shown} shown` : `${shown} of ${all} shown`;
    $('nothing').hidden = shown > 0;
  };

  const remember = () => {
    const { q, severity, area, state } = wanted();
    const hash = new URLSearchParams();
    if (q) hash.set('q', q);
    if (severity.length < severities.length) hash.set('severity', severity.join());
    if (area) hash.set('area', area);
    if (state) hash.set('state', state);
    history.replaceState(null, '', `#${hash}`);
  };

  const reset = () => {
    tools.reset();
    change();
  };

  const change = () => {
    show();
    remember();
  };

  // #q=orders&severity=critical sets the filters, #f-FINGERPRINT opens a finding.
  const recall = () => {
    const text = location.hash.slice(1);
    if (text.startsWith('f-')) {
      const ids = (card) => [card, ...card.querySelectorAll('[id]')].map(({ id }) => id);
      const card = cards.find((card) => ids(card).includes(text));
      if (!card) return;
      if (!card.isConnected) tools.reset();
      show();
      card.querySelector('details').open = true;
      card.scrollIntoView();
      return;
    }
    if (text && !text.includes('=')) return;
    const hash = new URLSearchParams(text);
    const list = hash.get('severity')?.split(',');
    $('search').value = hash.get('q') ?? '';
    severities.forEach((box) => { box.checked = !list || list.includes(box.value); });
    $('area').value = hash.get('area') ?? '';
    $('state').value = hash.get('state') ?? '';
    for (const id of ['area', 'state']) if ($(id).selectedIndex < 0) $(id).value = '';
    show();
  };

  const write = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement('textarea');
      area.value = text;
      area.className = 'spoken';
      document.body.append(area);
      area.select();
      const done = document.execCommand('copy');
      area.remove();
      return done;
    }
  };

  document.addEventListener('click', async (event) => {
    const button = event.target.closest('.copy');
    if (!button) return;
    const done = await write(button.parentElement.querySelector('code').textContent);
    const words = button.words ??= button.innerHTML;
    button.focus();
    button.textContent = done ? 'Copied' : 'Select and copy by hand';
    clearTimeout(button.timer);
    button.timer = setTimeout(() => { button.innerHTML = words; }, 2000);
  });

  let before = [];
  addEventListener('beforeprint', () => {
    before = [...document.querySelectorAll('details:not([open])')];
    before.forEach((fold) => { fold.open = true; });
  });
  addEventListener('afterprint', () => before.forEach((fold) => { fold.open = false; }));

  if (!tools) return;
  tools.hidden = false;
  tools.addEventListener('submit', (event) => event.preventDefault());
  tools.addEventListener('input', change);
  $('reset').addEventListener('click', reset);
  $('unfold').addEventListener('click', ({ currentTarget: button }) => {
    const open = button.getAttribute('aria-pressed') === 'false';
    folds.forEach((fold) => { fold.open = open; });
    button.setAttribute('aria-pressed', String(open));
    button.textContent = open ? 'Collapse all' : 'Expand all';
  });
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest('input[type=search], textarea, select');
    if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      $('search').focus();
    } else if (event.key === 'Escape' && event.target === $('search')) {
      $('search').value = '';
      change();
    }
  });
  addEventListener('hashchange', recall);
  recall();
  show();
})();

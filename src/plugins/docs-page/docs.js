// Runs in the reader's browser, for changes that Swagger UI has no option for.

// Swagger UI has a dark theme, but does not follow the system's setting.
const dark = matchMedia('(prefers-color-scheme: dark)')
const followSystem = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
dark.addEventListener('change', followSystem)
followSystem()

// crypto.randomUUID is missing if the page is reached over plain HTTP by another name than localhost.
function makeKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

// The next request on the page is another intent, so its key is a new one.
function freshKeys() {
  return {
    statePlugins: {
      spec: {
        wrapActions: {
          setResponse:
            (original, { specActions, specSelectors }) =>
            (path, method, response) => {
              const result = original(path, method, response)
              const parameters = specSelectors
                .specJsonWithResolvedSubtrees()
                .getIn(['paths', path, method, 'parameters'])
              const key = parameters?.find((parameter) => parameter.get('name') === 'Idempotency-Key')
              if (key !== undefined) specActions.changeParamByIdentity([path, method], key, makeKey())
              return result
            },
        },
      },
    },
  }
}

const build = window.SwaggerUIBundle
window.SwaggerUIBundle = Object.assign(
  (config) => build({ ...config, plugins: [...(config.plugins ?? []), freshKeys] }),
  build,
)

// Swagger UI gives these controls no accessible name, and the keyboard cannot reach some scrollable blocks.
const names = [
  ['.examples-select select', 'Example of the body'],
  ['.body-param-content-type select, .content-type-wrapper select, .response-control-media-type select', 'Media type'],
  ['.servers select', 'Server'],
  ['textarea.body-param__text', 'Body of the request'],
  ['.parameters-col_description select', 'Value of the parameter'],
]
function nameControls() {
  for (const [selector, name] of names) {
    for (const control of document.querySelectorAll(selector)) {
      if (!control.hasAttribute('aria-label')) control.setAttribute('aria-label', name)
    }
  }
  for (const input of document.querySelectorAll('.parameters-col_description input:not([aria-label])')) {
    input.setAttribute('aria-label', input.closest('tr')?.getAttribute('data-param-name') ?? 'Value of the parameter')
  }
  for (const block of document.querySelectorAll(
    '.highlight-code pre, pre.example, pre.microlight, .wide, .response pre',
  )) {
    if (block.scrollWidth > block.clientWidth || block.scrollHeight > block.clientHeight) block.tabIndex = 0
  }
}

// Once, as soon as Swagger UI has drawn it: most readers look for POST /clients.
let isOpen = false
function openCreate() {
  const summary = document.querySelector('#operations-clients-createClient .opblock-summary-control')
  if (isOpen || summary === null) return
  isOpen = true
  if (summary.getAttribute('aria-expanded') !== 'true') summary.click()
}

new MutationObserver(() => {
  openCreate()
  nameControls()
}).observe(document.documentElement, { childList: true, subtree: true })

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined | Record<string, string>>} Properties */

const SVG = 'http://www.w3.org/2000/svg'

/**
 * An element. Names of strangers only ever become text nodes and attribute values: nothing here reads HTML.
 * @param {string} tag with classes: `td.number`
 * @param {Properties} properties attributes; false, null and undefined leave one out; `style` takes CSS properties
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function h(tag, properties, ...children) {
  const [name = 'div', ...classes] = tag.split('.')
  return fill(document.createElement(name), classes, properties, children)
}

/**
 * The same in SVG.
 * @param {string} tag
 * @param {Properties} properties
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function svg(tag, properties, ...children) {
  const [name = 'g', ...classes] = tag.split('.')
  return fill(document.createElementNS(SVG, name), classes, properties, children)
}

/**
 * @template {HTMLElement | SVGElement} E
 * @param {E} element
 * @param {string[]} classes
 * @param {Properties} properties
 * @param {Child[]} children
 * @returns {E}
 */
function fill(element, classes, properties, children) {
  if (classes.length > 0) element.setAttribute('class', classes.join(' '))
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue
    if (typeof value === 'object') {
      for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text)
    } else element.setAttribute(name, value === true ? '' : String(value))
  }
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue
    element.append(child instanceof Node ? child : String(child))
  }
  return element
}

/**
 * Changes a text only when it is another one.
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text
}

/**
 * Makes `from` look like `to` with as few changes as it can, so that focus, selection and scroll positions stay where they are.
 * Children with `data-key` are matched by it, others by place. Listeners belong on an ancestor of both. What is within an
 * element with `data-island` is another's: it stays.
 * @param {Element} from
 * @param {Element} to
 */
export function patch(from, to) {
  syncAttributes(from, to)
  /** @type {Map<string, Element>} */
  const keyed = new Map()
  for (const child of from.children) {
    const key = child.getAttribute('data-key')
    if (key !== null) keyed.set(key, child)
  }
  let at = from.firstChild
  for (const wanted of [...to.childNodes]) {
    const key = wanted instanceof Element ? wanted.getAttribute('data-key') : null
    const present = key === null ? at : (keyed.get(key) ?? null)
    if (present === null || !isAlike(present, wanted)) {
      from.insertBefore(wanted, at)
      continue
    }
    if (present === at) at = at?.nextSibling ?? null
    else from.insertBefore(present, at)
    if (present instanceof Element && wanted instanceof Element) {
      if (!wanted.hasAttribute('data-island')) patch(present, wanted)
    } else if (present.nodeValue !== wanted.nodeValue) present.nodeValue = wanted.nodeValue
  }
  while (at !== null) {
    const next = at.nextSibling
    at.remove()
    at = next
  }
}

/**
 * @param {Node} a
 * @param {Node} b
 */
function isAlike(a, b) {
  if (a.nodeName !== b.nodeName) return false
  return !(a instanceof Element && b instanceof Element) || a.getAttribute('data-key') === b.getAttribute('data-key')
}

/**
 * @param {Element} from
 * @param {Element} to
 */
function syncAttributes(from, to) {
  for (const { name } of [...from.attributes]) if (name !== 'open' && !to.hasAttribute(name)) from.removeAttribute(name)
  for (const { name, value } of to.attributes) {
    if (name !== 'style' && from.getAttribute(name) !== value) from.setAttribute(name, value)
  }
  // Through the object model: the policy of the page allows no style attributes.
  if (!isStyled(from) || !isStyled(to)) return
  if (from.style.cssText !== to.style.cssText) from.style.cssText = to.style.cssText
}

/**
 * @param {Element} element
 * @returns {element is HTMLElement | SVGElement}
 */
const isStyled = (element) => element instanceof HTMLElement || element instanceof SVGElement

-- What the fenced divs of the report mean in each format; tables that stay on a page; alternative
-- text in Typst.

local STYLES = {note = 'Note', rows = 'Rows', warning = 'Warning', titleblock = 'Title Block',
  references = 'Body Text'}
local print = FORMAT ~= 'html5' and FORMAT ~= 'html'

local function wrapped(before, blocks, after, format)
  local all = pandoc.Blocks{pandoc.RawBlock(format, before)}
  all:extend(blocks)
  all:insert(pandoc.RawBlock(format, after))
  return all
end

-- In Typst the second line of a first cell is indented as far as its items are.
local function hanging(cell)
  for _, block in ipairs(cell.contents) do
    if block.t == 'Plain' then
      block.content:insert(1, pandoc.RawInline('typst', '#par(hanging-indent: 0.85em)['))
      block.content:insert(pandoc.RawInline('typst', ']'))
    end
  end
end

-- A row with nothing but its first cell is the heading of the rows below it.
function Table(tbl)
  for _, body in ipairs(tbl.bodies) do
    for _, row in ipairs(body.body) do
      local alone = #row.cells > 1 and #row.cells[1].contents > 0
      for place = 2, #row.cells do
        alone = alone and #row.cells[place].contents == 0
      end
      if alone then
        local cell = row.cells[1]
        cell.col_span = #row.cells
        row.cells = {cell}
      elseif FORMAT == 'typst' and #row.cells[1].contents > 0 then
        hanging(row.cells[1])
      end
    end
  end
  return tbl
end

function Div(div)
  local is = function(class) return div.classes:includes(class) end
  if is('html-only') then return print and {} or div.content end
  if is('print-only') then return print and div.content or {} end
  if is('details') then
    local summary = div.attributes.summary:gsub('[&<>]', '')
    return wrapped('<details><summary>' .. summary .. '</summary>', div.content, '</details>', 'html')
  end
  if FORMAT == 'typst' and is('tableblock') then 
    local breakable = tostring(is('long'))
    return wrapped('#tableblock(breakable: ' .. breakable .. ')[', div.content, ']', 'typst')
  end
  for class, style in pairs(STYLES) do
    if is(class) and FORMAT == 'typst' then
      return wrapped('#' .. class .. '[', div.content, ']', 'typst')
    elseif is(class) and FORMAT == 'docx' then
      div.attributes['custom-style'] = style
      return div
    end
  end
end

-- Pandoc's Typst has no alternative text.
function Figure(figure)
  if FORMAT ~= 'typst' then return nil end
  local image
  figure.content:walk{Image = function(found) image = found end}
  if not image then return nil end
  local alt = pandoc.utils.stringify(image.caption):gsub('\\', '/'):gsub('"', '\'')
  local caption = pandoc.Blocks{pandoc.RawBlock('typst', string.format(
    '#figure(image("%s", width: 100%%, alt: "%s"), kind: image, placement: auto, caption: [', image.src, alt))}
  caption:extend(figure.caption.long)
  caption:insert(pandoc.RawBlock('typst', ']) <' .. figure.identifier .. '>'))
  return caption
end

-- What the fenced divs of the report mean in each format; headers of rows; tables and figures that
-- stay on a page; fields of Word; alternative text in Typst.

local STYLES = {note = 'Note', rows = 'Rows', warning = 'Warning', open = 'Open',
  titleblock = 'Title Block', references = 'Body Text'}
local web = FORMAT == 'html5' or FORMAT == 'html'

local function wrapped(before, blocks, after, format)
  local all = pandoc.Blocks{pandoc.RawBlock(format, before)}
  all:extend(blocks)
  all:insert(pandoc.RawBlock(format, after))
  return all
end

local function escaped(text)
  return text:gsub('&', '&amp;'):gsub('<', '&lt;'):gsub('>', '&gt;'):gsub('"', '&quot;')
end

local function label(caption)
  return pandoc.utils.stringify(caption):match('^%a+ %d+') or 'Table'
end

-- What is wider than the screen moves in a region of its own, by keyboard too.
local function region(blocks, name, attributes)
  local open = '<div class="scroll" role="region" tabindex="0" aria-label="%s"%s>'
  return wrapped(open:format(escaped(name), attributes or ''), blocks, '</div>', 'html')
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

local function field(instruction, text, look)
  local run = '<w:r><w:rPr>' .. look .. '</w:rPr>%s</w:r>'
  local function mark(kind) return run:format('<w:fldChar w:fldCharType="' .. kind .. '"/>') end
  return mark('begin') .. run:format('<w:instrText xml:space="preserve"> ' .. instruction .. ' </w:instrText>')
    .. mark('separate') .. run:format('<w:t>' .. text .. '</w:t>') .. mark('end')
end

-- Word counts tables and figures itself: the number of a caption is a field that others refer to.
local marked = 0
local function counted(caption)
  for _, block in ipairs(caption.long) do
    local first = block.content and block.content[1]
    local kind, number = pandoc.utils.stringify(first or ''):match('^(%a+) (%d+)%.$')
    if kind then
      marked = marked + 1
      local bold = '<w:b/><w:bCs/>'
      local run = '<w:r><w:rPr>' .. bold .. '</w:rPr><w:t xml:space="preserve">%s</w:t></w:r>'
      local id = 'w:id="' .. 90000 + marked .. '"'
      block.content[1] = pandoc.RawInline('openxml',
        '<w:bookmarkStart ' .. id .. ' w:name="_Ref_' .. kind .. '_' .. number .. '"/>' .. run:format(kind .. ' ')
        .. field('SEQ ' .. kind .. ' \\* ARABIC', number, bold)
        .. '<w:bookmarkEnd ' .. id .. '/>' .. run:format('.'))
    end
  end
end

local function referring(link)
  local text = pandoc.utils.stringify(link.content)
  local kind, number = text:match('^(%a+) (%d+)$')
  if kind and (link.target:match('^#tbl%-') or link.target:match('^#fig%-')) then
    return pandoc.RawInline('openxml', field('REF _Ref_' .. kind .. '_' .. number .. ' \\h', text,
      '<w:rStyle w:val="Hyperlink"/>'))
  end
end
-- For the others no link need be looked at.
if FORMAT == 'docx' then Link = referring end

-- Rows under one heading are a body of their own: the heading is that of a group.
local function grouped(tbl)
  local bodies = pandoc.List{}
  for _, body in ipairs(tbl.bodies) do
    local rows = body.body
    body.body, body.row_head_columns = pandoc.List{}, 1
    for _, row in ipairs(rows) do
      local first = row.cells[1]
      if #row.cells == 1 and first.col_span > 1 then
        first.attributes.scope = 'rowgroup'
        bodies:insert(body)
        body = {attr = pandoc.Attr(), head = pandoc.List{row}, body = pandoc.List{},
          row_head_columns = 1}
      else
        first.attributes.scope = 'row'
        body.body:insert(row)
      end
    end
    bodies:insert(body)
  end
  for _, row in ipairs(tbl.head.rows) do
    for _, cell in ipairs(row.cells) do
      cell.attributes.scope = cell.col_span > 1 and 'colgroup' or 'col'
    end
  end
  tbl.bodies = bodies:filter(function(body) return #body.body + #body.head > 0 end)
end

-- Where columns share a name it stands over them: the first row has what stands below. `spans` says
-- how many columns are below each cell, 0 of one without a group.
local function spanned(tbl)
  local head, below = tbl.head.rows[1], table.remove(tbl.bodies[1].body, 1)
  local first, second, at = pandoc.List{}, pandoc.List{}, 1
  for span in tbl.attributes.spans:gmatch('%d+') do
    local n = math.max(1, tonumber(span))
    local cell = (span == '0' and below or head).cells[at]
    if span == '0' then
      cell.row_span = 2
      if FORMAT == 'typst' then cell.attributes['typst:align'] = 'bottom' end
    else
      cell.col_span, cell.alignment = n, 'AlignCenter'
      if FORMAT == 'typst' then cell.attributes['typst:stroke'] = '(bottom: 0.3pt)' end
      for k = at, at + n - 1 do second:insert(below.cells[k]) end
    end
    first:insert(cell)
    at = at + n
  end
  for _, cell in ipairs(second) do
    -- Typst and Word set the first row in bold by themselves.
    if not web then cell.contents = cell.contents:walk{Plain = function(p) return pandoc.Plain{pandoc.Strong(p.content)} end} end
  end
  tbl.attributes.spans = nil
  tbl.head.rows = {pandoc.Row(first), pandoc.Row(second)}
end

-- A row with nothing but its first cell is the heading of the rows below it.
function Table(tbl)
  if tbl.attributes.spans then spanned(tbl) end
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
  if FORMAT == 'docx' then counted(tbl.caption) end
  if not web then return tbl end
  grouped(tbl)
  return region({tbl}, label(tbl.caption.long))
end

function Div(div)
  local is = function(class) return div.classes:includes(class) end
  if is('html-only') then return web and div.content or {} end
  if is('print-only') then return web and {} or div.content end
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

-- As wide as the text, but no taller than a page of Word with its caption: millimetres.
local WIDE, TALL = 170, 215
local function fitted(image)
  local file = assert(io.open(image.src, 'rb'))
  local wide, tall = string.unpack('>I4I4', file:read(24), 17)
  file:close()
  if WIDE * tall / wide > TALL then
    image.attributes = {height = TALL .. 'mm', width = TALL * wide / tall .. 'mm'}
  end
end

function Figure(figure)
  local image
  figure.content:walk{Image = function(found) image = found end}
  if not image then return nil end
  if FORMAT == 'docx' then
    counted(figure.caption)
    return figure:walk{Image = function(found) fitted(found) return found end}
  elseif web then
    -- A link makes a figure large in its place, and needs no script.
    local name, large = label(figure.caption.long), 'large-' .. figure.identifier
    figure = figure:walk{Image = function(found) found.classes = {'inline-svg'} return found end}
    figure.content = region(figure.content, name, ' id="' .. large .. '"')
    figure.caption.long:insert(pandoc.RawBlock('html', string.format(
      '<p class="downloads"><a class="enlarge" href="#%s">Enlarge %s</a>'
      .. '<a class="restore" href="#%s">As before</a></p>', large, name:lower(), figure.identifier)))
    return figure
  end
  -- Pandoc's Typst has no alternative text.
  local alt = pandoc.utils.stringify(image.caption):gsub('\\', '/'):gsub('"', '\'')
  local caption = pandoc.Blocks{pandoc.RawBlock('typst', string.format(
    '#figure(fitted("%s", "%s"), kind: image, placement: %s, caption: [', image.src, alt,
    image.classes:includes('here') and 'none' or 'auto'))}
  caption:extend(figure.caption.long)
  caption:insert(pandoc.RawBlock('typst', ']) <' .. figure.identifier .. '>'))
  return caption
end

// Unpacks the columns that engines/report_packing.py packs; its docstring explains the form.

function bytesOf(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

/** Return a packed column as a Float64Array, or a Float32Array if it was packed as one. */
export function unpacked(column) {
  if (column.float32 !== undefined) return new Float32Array(bytesOf(column.float32).buffer);
  if (column.float64 !== undefined) return new Float64Array(bytesOf(column.float64).buffer);
  const { step, count } = column;
  const bytes = bytesOf(column.bytes);
  const values = new Float64Array(count);
  // Dividing by a whole number gives 0.3 where multiplying by 0.1 gives 0.30000000000000004.
  const inverse = Math.round(1 / step);
  const divides = step < 1 && Math.abs(inverse * step - 1) < 1e-12;
  let at = 0, steps = 0;
  for (let index = 0; index < count; index++) {
    let byte = bytes[at++], number = byte & 127;
    // Four groups fit the fast integers of the machine, more do not.
    for (let shift = 7; byte > 127 && shift < 28; shift += 7) {
      byte = bytes[at++];
      number |= (byte & 127) << shift;
    }
    if (byte < 128) {
      steps += (number >>> 1) ^ -(number & 1);
    } else {
      for (let factor = 2 ** 28; byte > 127; factor *= 128) {
        byte = bytes[at++];
        number += (byte & 127) * factor;
      }
      steps += number % 2 ? -(number + 1) / 2 : number / 2;
    }
    values[index] = divides ? steps / inverse : steps * step;
  }
  return values;
}

/** Return a coded column of texts as a function of the row. */
export function uncoded(column) {
  const codes = unpacked(column.codes);
  return row => column.names[codes[row]];
}

/** Return the bars of a market: aligned columns. */
export function marketOf(packed) {
  const market = { ...packed, time: unpacked(packed.open_time) };
  for (let bar = 0; bar < market.time.length; bar++) market.time[bar] += packed.first_ms;
  for (const name of ["open", "high", "low", "close"]) market[name] = unpacked(packed[name]);
  return market;
}

function tradesOf(packed) {
  const trades = { count: packed.count };
  for (const [name, column] of Object.entries(packed)) {
    if (name !== "count") trades[name] = column.names ? uncoded(column) : unpacked(column);
  }
  return trades;
}

/**
 * Return a run; its bars are those of its market from `offset` on. Its trades are unpacked when it
 * is first looked at: of twenty runs most are only compared.
 */
export function runOf(packed, markets, index) {
  const market = markets[packed.market];
  const bars = {};
  for (const name of ["time", "open", "high", "low", "close"]) {
    bars[name] = market[name].subarray(packed.offset);
  }
  let trades = null;
  return {
    ...packed, index, market, bars, equity: unpacked(packed.equity),
    get trades() {
      trades ??= tradesOf(packed.trades);
      return trades;
    },
  };
}

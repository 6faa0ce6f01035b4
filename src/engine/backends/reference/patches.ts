import type { Kernels } from "../../backend.ts";
import { rowsOf, widthOf } from "../../tensor.ts";
import { floats, requireMatrix, spanning } from "./memory.ts";

export const patching: Pick<Kernels, "patches" | "addRows" | "addRowsBackward"> = {
  patches(out, pixels, patch, leading) {
    const [images, channels, height, width] = pixels.shape;
    if (pixels.shape.length !== 4 || height % patch !== 0 || width % patch !== 0) {
      throw new RangeError(`patches: images [${pixels.shape}] are not cut by patches of ${patch}`);
    }
    const [down, across] = [height / patch, width / patch];
    const columns = channels * patch * patch;
    requireMatrix(out, images * (leading + down * across), columns, "patches: out");
    const [to, from] = [floats(out, "patches: out"), floats(pixels, "patches: pixels")];
    to.fill(0);
    for (let image = 0; image < images; image++) {
      for (let index = 0; index < down * across; index++) {
        const row = image * (leading + down * across) + leading + index;
        const [top, left] = [Math.floor(index / across) * patch, (index % across) * patch];
        for (let i = 0; i < columns; i++) {
          const [channel, y, x] = [Math.floor(i / patch ** 2), Math.floor(i / patch) % patch, i % patch];
          to[row * columns + i] = from[((image * channels + channel) * height + top + y) * width + left + x];
        }
      }
    }
  },

  addRows(out, x, table) {
    const [rows, width, period] = [rowsOf(x), widthOf(x), rowsOf(table)];
    requireMatrix(out, rows, width, "addRows: out");
    requireMatrix(table, period, width, "addRows: table");
    const [to, from, added] = [
      spanning(out, "addRows: out"),
      spanning(x, "addRows: x"),
      floats(table, "addRows: table"),
    ];
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < width; i++) {
        to[row * out.rowStride + i] = from[row * x.rowStride + i] + added[(row % period) * width + i];
      }
    }
  },

  addRowsBackward(tableGradient, gradient) {
    const [rows, width, period] = [rowsOf(gradient), widthOf(gradient), rowsOf(tableGradient)];
    requireMatrix(tableGradient, period, width, "addRowsBackward: table");
    const [to, from] = [floats(tableGradient, "addRowsBackward: out"), spanning(gradient, "addRowsBackward")];
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < width; i++) to[(row % period) * width + i] += from[row * gradient.rowStride + i];
    }
  },
};

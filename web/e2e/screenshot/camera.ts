/** Cameras for the picture in the README: drawn people at drawn desks, instead of the test pattern of the browser. */

export interface Scene {
  wall: string;
  shelf: string;
  skin: string;
  hair: string;
  longHair: boolean;
  shirt: string;
  desk: string;
  /** Where the person sits, as a part of the width. */
  seat: number;
}

/** Runs in the page: every camera that is asked for shows this scene. */
export function drawCamera(scene: Scene): void {
  const [width, height] = [960, 540];
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  const pen = canvas.getContext('2d');
  if (pen === null) throw new Error('no canvas');

  const box = (fill: string, x: number, y: number, w: number, h: number, radius = 0): void => {
    pen.fillStyle = fill;
    pen.beginPath();
    pen.roundRect(x, y, w, h, radius);
    pen.fill();
  };
  const disc = (fill: string, x: number, y: number, rx: number, ry = rx): void => {
    pen.fillStyle = fill;
    pen.beginPath();
    pen.ellipse(x, y, rx, ry, 0, 0, Math.PI * 2);
    pen.fill();
  };
  const books = ['#a8583f', '#d9b36a', '#5a7f8c', '#e4d8c3', '#6d7f58', '#8a5a6b', '#3f5566'];

  const draw = (): void => {
    const breath = Math.sin(performance.now() / 900) * 4;
    const wall = pen.createLinearGradient(0, 0, width, height);
    wall.addColorStop(0, scene.wall);
    wall.addColorStop(1, scene.shelf);
    pen.fillStyle = wall;
    pen.fillRect(0, 0, width, height);

    const side = scene.seat < 0.5 ? 640 : 60;
    for (const [row, top] of [150, 290].entries()) {
      box('rgb(0 0 0 / 0.18)', side, top, 270, 10, 3);
      for (let index = 0; index < 8; index += 1) {
        const tall = 56 + ((index * 37 + row * 19) % 42);
        box(books[(index + row * 3) % books.length] ?? '', side + 10 + index * 31, top - tall, 25, tall, 3);
      }
    }
    const lamp = scene.seat < 0.5 ? 560 : 400;
    const glow = pen.createRadialGradient(lamp, 330, 10, lamp, 330, 260);
    glow.addColorStop(0, 'rgb(255 226 160 / 0.5)');
    glow.addColorStop(1, 'rgb(255 226 160 / 0)');
    pen.fillStyle = glow;
    pen.fillRect(0, 0, width, height);

    const x = width * scene.seat;
    const y = 250 + breath;
    if (scene.longHair) box(scene.hair, x - 92, y - 80, 184, 250, 84);
    box(scene.skin, x - 28, y + 60, 56, 80, 20);
    box(scene.shirt, x - 165, y + 116, 330, 260, 110);
    disc(scene.skin, x, y, 78, 90);
    pen.save();
    pen.beginPath();
    pen.rect(x - 120, y - 140, 240, scene.longHair ? 118 : 108);
    pen.clip();
    disc(scene.hair, x, y - 8, 90, 96);
    pen.restore();
    // Eyes look down, at the book.
    pen.strokeStyle = 'rgb(30 20 20 / 0.75)';
    pen.lineWidth = 5;
    pen.lineCap = 'round';
    for (const eye of [-32, 32]) {
      pen.beginPath();
      pen.arc(x + eye, y + 4, 12, 0.25 * Math.PI, 0.75 * Math.PI);
      pen.stroke();
    }
    pen.beginPath();
    pen.arc(x, y + 34, 16, 0.2 * Math.PI, 0.8 * Math.PI);
    pen.stroke();

    box(scene.desk, -20, 470, width + 40, 90);
    pen.fillStyle = '#f4eee0';
    pen.beginPath();
    pen.moveTo(x, 492);
    pen.quadraticCurveTo(x - 80, 462, x - 160, 482);
    pen.lineTo(x - 176, 520);
    pen.quadraticCurveTo(x - 84, 502, x, 526);
    pen.quadraticCurveTo(x + 84, 502, x + 176, 520);
    pen.lineTo(x + 160, 482);
    pen.quadraticCurveTo(x + 80, 462, x, 492);
    pen.fill();
  };

  navigator.mediaDevices.getUserMedia = (constraints) => {
    draw();
    setInterval(draw, 125);
    const stream = canvas.captureStream(8);
    if (constraints?.audio !== undefined) {
      const context = new AudioContext();
      const silence = context.createMediaStreamDestination();
      for (const track of silence.stream.getAudioTracks()) stream.addTrack(track);
    }
    return Promise.resolve(stream);
  };
}

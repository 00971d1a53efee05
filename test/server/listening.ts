import {
  type Agents,
  type ControlOptions,
  ControlSocket,
  type Requests,
} from "../../src/server/control_socket.ts";

/** Serves a control socket; handlers that are not given do nothing, and commands are refused. */
export async function listen(
  handlers: Partial<Agents & Requests>,
  options: ControlOptions,
): Promise<ControlSocket> {
  const whole = {
    admit() {},
    farewell: () => Promise.resolve(),
    expired() {},
    probe: () => Promise.resolve({}),
    answer: () => Promise.reject(new Error("unexpected")),
    ...handlers,
  };
  const control = await ControlSocket.make(options);
  await control.listen({ agents: whole, requests: whole });
  return control;
}

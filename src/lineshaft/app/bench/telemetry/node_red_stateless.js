// Each reading beyond the limit.
const { tag, value, time } = msg.payload;
const told = (value, time) => ({ topic: "results/breach", payload: { tag, at: time, value } });
if (!Array.isArray(value)) return value > LIMIT ? told(value, time) : null;
return [value.flatMap((each, index) => (each > LIMIT ? [told(each, time[index])] : []))];

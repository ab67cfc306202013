//! Looks at a module before it is compiled: one pass over its bytes that counts what makes the compiler slow or hungry out of proportion to
//! the module's size. wasmtime has no budget for compiling, and a compiler that has begun can't be stopped.
//!
//! Each limit stands where a module that is made of nothing else compiles in less than 10 seconds of CPU time and 1 GiB (with fuel, one core of
//! 2026, on a machine busy with other things). The figures beside the limits are CPU seconds and peak memory of such modules, and the most that
//! was found in modules that people use: interpreters (CPython, Ruby), databases (DuckDB, Postgres), programs of Go and of Rust
//! (`docs/performance.md`).

use crate::model::outcome::{Cause, Complexity};
use wasmparser::{BinaryReaderError, FunctionBody, Operator, OperatorsReaderAllocations, Parser, Payload};

/// 100,000 empty functions: 10.9 s, 571 MB; 200,000: 22 s, 1.1 GB. CPython with its libraries linked in, 99 MB: 89,060; DuckDB: 62,171; most have less
/// than 20,000.
const FUNCTIONS: u64 = 100_000;

/// The reader's own limit is 50,000. Found: 612 (DuckDB).
const LOCALS: u64 = 20_000;

/// A few bytes declare any number of locals, and each has to be cleared: this is a megabyte of native code for 250,000 of them. Found: 510,335 (CPython, 99 MB).
const LOCALS_IN_ALL: u64 = 4_000_000;

/// The compiler keeps tables of blocks × locals. 10,000 loops × 49,000 locals that nothing uses: 11.5 s, 3.1 GB without fuel. Found: 683,098 (Ruby).
const BLOCKS_BY_LOCALS: u64 = 100_000_000;

/// 5,000 with a branch each: 0.8 s, 20,000: 9.3 s; it grows with the square. Found: 3,289 (a program of Go, which opens a block for each
/// place at which a function can be resumed), 2,055 (Postgres).
const NESTING: u64 = 10_000;

/// 300 with a branch each: 0.05 s, 500: 0.2 s, 1,000: 1.3 s, 2,000: 9.4 s: it grows with the third power. Found: 37 (DuckDB).
const NESTED_LOOPS: u64 = 500;

/// What is carried through a loop is a value of its own there. 100,000: 0.24 s; 1 million: 1.7 s, 127 MB; 10 million: more than 40 s. Found: 7,378
/// (DuckDB).
const LOOPS_BETWEEN_USES: u64 = 3_000_000;

/// The same for blocks, which are cheaper. 1 million: 0.55 s, 74 MB; 10 million: 12.5 s, 499 MB. Found: 631,054 (Ruby).
const BLOCKS_BETWEEN_USES: u64 = 7_000_000;

/// 5,000: 0.3 s. Found: 5,490 (a program of Go: one for each place at which a function can be resumed), 3,202 (CPython).
const TABLE_TARGETS: u64 = 10_000;

/// 10 tables of 1,000: 0.6 s, 10 of 3,000: 5.3 s, 300 of 3,000: more than 39 s: it grows with the square. Found: 16,230 (CPython, 99 MB).
const TABLE_TARGETS_IN_ALL: u64 = 30_000;

/// Nobody is expected to compose components deeper than a few levels.
const NESTED_COMPONENTS: u64 = 16;

/// Lets a module or component pass that compiles in time and memory in proportion to its size.
///
/// # Errors
/// [`Cause::TooComplex`] with the first limit that it breaks; [`Cause::BrokenModule`] if it can't be read.
pub(super) fn admit(wasm: &[u8]) -> Result<(), Cause> {
    match scan(wasm) {
        Ok(()) => Ok(()),
        Err(Stop::TooMuch(cause)) => Err(cause),
        Err(Stop::Broken(error)) => Err(Cause::BrokenModule { message: error.to_string() }),
    }
}

enum Stop {
    TooMuch(Cause),
    Broken(BinaryReaderError),
}

impl From<BinaryReaderError> for Stop {
    fn from(error: BinaryReaderError) -> Self {
        Self::Broken(error)
    }
}

fn scan(wasm: &[u8]) -> Result<(), Stop> {
    let mut total = Totals::default();
    let mut body = Body::default();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::ComponentSection { .. } | Payload::ModuleSection { .. } => {
                total.depth += 1;
                within(Complexity::NestedComponents, total.depth, NESTED_COMPONENTS, None)?;
            }
            Payload::End(_) => total.depth = total.depth.saturating_sub(1),
            Payload::FunctionSection(functions) => {
                total.declared += u64::from(functions.count());
                within(Complexity::Functions, total.declared, FUNCTIONS, None)?;
            }
            Payload::CodeSectionEntry(function) => {
                total.locals += body.count(&function, total.bodies)?;
                within(Complexity::LocalsInAll, total.locals, LOCALS_IN_ALL, None)?;
                total.bodies += 1;
            }
            _ => {}
        }
    }
    Ok(())
}

/// What is counted over all modules of a component.
#[derive(Default)]
struct Totals {
    depth: u64,
    declared: u64,
    bodies: u32,
    locals: u64,
}

/// What is counted in one function body. One serves them all: what it allocated is used again.
#[derive(Default)]
struct Body {
    number: u32,
    locals: u64,
    blocks: u64,
    loops: u64,
    open: Vec<Block>,
    open_loops: u64,
    targets: u64,
    blocks_between: u64,
    loops_between: u64,
    /// By local. What belongs to an earlier body doesn't count: clearing it for each would take longer than all the rest.
    touched: Vec<Touch>,
    reader: OperatorsReaderAllocations,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Loop,
    Other,
}

/// How many blocks and loops had begun or ended when a local was used last.
#[derive(Clone, Copy, Default)]
struct Touch {
    body: u32,
    blocks: u64,
    loops: u64,
}

impl Body {
    /// Counts one body. Returns how many locals it declares.
    fn count(&mut self, function: &FunctionBody<'_>, number: u32) -> Result<u64, Stop> {
        *self = Self {
            // 0 is what was never touched.
            number: number + 1,
            open: std::mem::take(&mut self.open),
            touched: std::mem::take(&mut self.touched),
            reader: std::mem::take(&mut self.reader),
            ..Self::default()
        };
        self.open.clear();
        for declared in function.get_locals_reader()? {
            self.locals += u64::from(declared?.0);
            self.within(Complexity::Locals, self.locals, LOCALS)?;
        }
        let operators = function.get_binary_reader_for_operators()?;
        let mut operators = wasmparser::OperatorsReader::new_with_allocs(operators, std::mem::take(&mut self.reader));
        while !operators.eof() {
            self.operator(&operators.read()?)?;
        }
        self.reader = operators.into_allocations();
        Ok(self.locals)
    }

    fn operator(&mut self, operator: &Operator<'_>) -> Result<(), Stop> {
        match operator {
            Operator::Loop { .. } => self.begin(Block::Loop),
            Operator::Block { .. } | Operator::If { .. } | Operator::TryTable { .. } | Operator::Try { .. } => self.begin(Block::Other),
            Operator::Else => {
                self.blocks += 1;
                Ok(())
            }
            Operator::End => {
                self.end();
                Ok(())
            }
            Operator::LocalGet { local_index } => self.get(*local_index),
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                self.touch(*local_index);
                Ok(())
            }
            Operator::BrTable { targets } => {
                let targets = u64::from(targets.len());
                self.within(Complexity::TableTargets, targets, TABLE_TARGETS)?;
                self.targets += targets;
                self.within(Complexity::TableTargetsInAll, self.targets, TABLE_TARGETS_IN_ALL)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, block: Block) -> Result<(), Stop> {
        self.blocks += 1;
        if block == Block::Loop {
            self.loops += 1;
            self.open_loops += 1;
        }
        self.open.push(block);
        self.within(Complexity::NestedLoops, self.open_loops, NESTED_LOOPS)?;
        self.within(Complexity::Nesting, self.open.len() as u64, NESTING)?;
        self.within(Complexity::BlocksByLocals, self.blocks * self.locals, BLOCKS_BY_LOCALS)
    }

    fn end(&mut self) {
        // The last `end` is the function's own.
        if self.open.pop() == Some(Block::Loop) {
            self.open_loops -= 1;
        }
    }

    /// A value that is used was carried there from its last use, through every block and loop between the two.
    fn get(&mut self, local: u32) -> Result<(), Stop> {
        let last = self.touch(local);
        self.blocks_between += self.blocks - last.blocks;
        self.loops_between += self.loops - last.loops;
        self.within(Complexity::LoopsBetweenUses, self.loops_between, LOOPS_BETWEEN_USES)?;
        self.within(Complexity::BlocksBetweenUses, self.blocks_between, BLOCKS_BETWEEN_USES)
    }

    /// Marks a local as used here. Returns where it was used last: at the function's beginning, if nowhere else.
    fn touch(&mut self, local: u32) -> Touch {
        let now = Touch { body: self.number, blocks: self.blocks, loops: self.loops };
        let index = local as usize;
        // An index beyond every local is the compiler's to refuse, and not a reason to allocate.
        if index >= self.touched.len() && u64::from(local) < LOCALS + PARAMETERS {
            self.touched.resize(index + 1, Touch::default());
        }
        let Some(touch) = self.touched.get_mut(index) else { return now };
        let last = std::mem::replace(touch, now);
        if last.body == self.number { last } else { Touch::default() }
    }

    fn within(&self, what: Complexity, found: u64, limit: u64) -> Result<(), Stop> {
        within(what, found, limit, Some(self.number - 1))
    }
}

/// Most parameters of a function: the readers' own limit.
const PARAMETERS: u64 = 1_000;

fn within(what: Complexity, found: u64, limit: u64, function: Option<u32>) -> Result<(), Stop> {
    if found <= limit { Ok(()) } else { Err(Stop::TooMuch(Cause::TooComplex { what, found, limit, function })) }
}

//! Single inputs on which a claim was once false.

use std::f64::consts::{PI, TAU};
use std::sync::mpsc;
use std::time::Duration;

use crate::compare::Comparison;
use crate::families::{FAMILIES, Member};

/// What is enough for any of the cases, a hundred times over.
const PATIENCE: Duration = Duration::from_secs(30);

/// The cases by name.
pub fn cases() -> Vec<(String, Member)> {
    let mut cases = Vec::new();
    let mut add = |name: String, (x, y): (Vec<f64>, Vec<f64>), p: f64, tolerance: f64| {
        cases.push((
            format!("{name}, p = {p:.3e}, tolerance {tolerance:e}"),
            Member { x, y, p, tolerance, tangent: false },
        ));
    };
    for tolerance in [1e-4, 1e-6, 1e-8, 1e-10] {
        add("two sinusoids of 784 entries".into(), sinusoids(), 2.0 / 784.0, tolerance);
        for p in [0.3, 0.1] {
            add("three rings of 8 directions".into(), three_rings(), p, tolerance);
        }
    }
    let x = [-1, 3, -3, 3, -2, 0, -3, 1, -3, 1, 3].map(f64::from).to_vec();
    let y = [3, -1, -3, -2, -2, -1, 0, -3, -1, 2, -1].map(f64::from).to_vec();
    add("eleven small integers".into(), (x, y), 3.4106892791161257e-9, 1e-10);
    // What the shared entry gives is positive, or it is 0 and all is left to masks of two entries and more.
    for (sign, p) in [(1.0, 1e-26), (-1.0, 1e-24), (-1.0, 1e-26), (-1.0, 1e-30)] {
        let x = (0..12).map(|j| if j < 7 { 1.0 + 0.1 * f64::from(j) } else { 0.0 }).collect();
        let y = (0..12).map(|j| if j >= 6 { sign * (2.0 - 0.1 * f64::from(j)) } else { 0.0 }).collect();
        add("disjoint supports but for one entry".into(), (x, y), p, 1e-6);
    }
    // Means over directions whose change from half of the directions was small by chance.
    for (name, index) in [("mixed", 392), ("rings", 359), ("dominant-groups", 174)] {
        let family = FAMILIES.iter().find(|family| family.name == name).expect("a family of that name");
        let member = Member { tangent: true, ..family.member(1, index) };
        cases.push((format!("{name} {index} of seed 1, tangent kernel"), member));
    }
    cases
}

/// `cos(2 pi j / 16 + 0.3)` and `cos(2 pi j / 16 + 1.3)`, `j < 784`; equal entries are equal in every bit.
fn sinusoids() -> (Vec<f64>, Vec<f64>) {
    let wave = |j: u32, phase: f64| {
        let sign = if j % 16 < 8 { 1.0 } else { -1.0 };
        sign * (TAU * f64::from(j % 8) / 16.0 + phase).cos()
    };
    (0..784).map(|j| (wave(j, 0.3), wave(j, 1.3))).unzip()
}

/// Radii 1, 0.3 and 0.1, turned by 0, 0.2 and 0.5.
fn three_rings() -> (Vec<f64>, Vec<f64>) {
    let rings = [(1.0, 0.0), (0.3, 0.2), (0.1, 0.5)].into_iter();
    let entries = rings.flat_map(|(radius, offset)| {
        (0..8).map(move |j| {
            let angle: f64 = offset + PI * f64::from(j) / 8.0;
            (radius * angle.cos(), radius * (angle - 1.2).cos())
        })
    });
    entries.unzip()
}

/// The comparison, unless it takes longer than any should.
pub fn patiently(member: Member) -> Option<Comparison> {
    let (send, receive) = mpsc::channel();
    // Threads of its own: one that never ends would hold up the others.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("two threads");
    pool.spawn(move || {
        // Nobody listens any more where it took too long.
        let _ = send.send(Comparison::of(&member));
    });
    receive.recv_timeout(PATIENCE).ok()
}
